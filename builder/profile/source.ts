import { readFile } from 'node:fs/promises'
import { type Document, isAlias, isMap, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { type Issue, issueAtPosition, type Position } from './issue.ts'

/** A path into YAML data: keys of mappings and indexes of lists. */
export type DataPath = readonly PropertyKey[]

/** A YAML file with its data and what is needed to say where in the file a datum stands. */
export interface Source {
  /** As shown to people: relative to the checkout where it lies inside. */
  file: string
  lines: readonly string[]
  data: unknown
  document: Document.Parsed
  lineCounter: LineCounter
}

interface Place {
  key?: Node
  value?: Node
}

const followAlias = (document: Document.Parsed, node: unknown): unknown =>
  isAlias(node) ? node.resolve(document) : node

const placeIn = (document: Document.Parsed, parent: unknown, step: PropertyKey): Place | undefined => {
  const node = followAlias(document, parent)
  if (isSeq(node)) {
    const value = node.items[Number(step)] as Node | undefined
    return value ? { value } : undefined
  }
  if (!isMap(node)) return undefined
  const pair = node.items.find((item) => String(item.key) === String(step))
  return pair && { key: pair.key as Node, ...(pair.value ? { value: pair.value as Node } : {}) }
}

/**
 * Line and column of the value (or the key) at `path`, both from 1. For a path that is not in the file, the position
 * of the deepest part that is: a missing key is reported where its mapping begins.
 */
const positionOf = (source: Source, path: DataPath, part: 'key' | 'value' = 'value'): Position => {
  let place: Place = source.document.contents ? { value: source.document.contents } : {}
  for (const step of path) {
    const next = placeIn(source.document, place.value, step)
    if (next === undefined) break
    place = next
  }
  const node = part === 'key' ? (place.key ?? place.value) : (place.value ?? place.key)
  const { line, col } = source.lineCounter.linePos(node?.range?.[0] ?? 0)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}

/** An issue about the value or key at `path`. */
export const issueAt = (source: Source, path: DataPath, message: string, part: 'key' | 'value' = 'value'): Issue =>
  issueAtPosition(source, positionOf(source, path, part), message)

/** The value at `path` in plain data, or undefined. */
export const valueAt = (data: unknown, path: DataPath): unknown =>
  path.reduce<unknown>(
    (value, step) =>
      value !== null && typeof value === 'object' ? (value as Record<PropertyKey, unknown>)[step] : undefined,
    data,
  )

/**
 * Parse YAML 1.2 text. Syntax errors, duplicate keys and unknown tags become issues; `file` is the name they show.
 */
const parseSource = (text: string, file: string): { source: Source; issues: Issue[] } => {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, version: '1.2' })
  const problems = [...document.errors, ...document.warnings]
  const source: Source = { file, lines: text.split(/\r?\n/), data: undefined, document, lineCounter }
  const issues = problems.map((problem) => {
    const { line, col } = lineCounter.linePos(problem.pos[0])
    const message =
      problem.code === 'DUPLICATE_KEY'
        ? `the key \`${keyText(text, problem.pos)}\` stands here a second time`
        : `bad YAML: ${problem.message}`
    return issueAtPosition(source, { line, column: col }, message)
  })
  if (issues.length > 0) return { source, issues }
  try {
    return { source: { ...source, data: document.toJS() as unknown }, issues }
  } catch (cause) {
    // `yaml` resolves aliases only now, and bounds how far they may multiply.
    const message = `bad YAML: ${cause instanceof Error ? cause.message : String(cause)}`
    return { source, issues: [issueAtPosition(source, { line: 1, column: 1 }, message)] }
  }
}

const keyText = (text: string, [start]: readonly [number, number]): string =>
  /^["']?([^\s:"']+)/.exec(text.slice(start))?.[1] ?? ''

/** Read and parse a YAML file; throws the system error when it cannot be read. */
export const readSource = async (path: string, file: string): Promise<{ source: Source; issues: Issue[] }> =>
  parseSource(await readFile(path, 'utf8'), file)
