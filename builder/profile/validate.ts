import { z } from 'zod'
import { type Issue, suggestion } from './issue.ts'
import { type DataPath, issueAt, type Source, valueAt } from './source.ts'

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
}

const describeValue = (value: unknown): string => {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  if (typeof value === 'string') return `the text \`${value}\``
  return `${typeof value === 'number' ? 'the number ' : ''}\`${value}\``
}

const isLiteral = (value: unknown): boolean => typeof value === 'number' || typeof value === 'boolean'

/** The keys that a mapping at `path` may have, for suggestions. */
const keysAt = (schema: unknown, path: DataPath): string[] => {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return keysAt(schema.unwrap(), path)
  }
  const [step, ...rest] = path
  if (schema instanceof z.ZodObject) {
    return step === undefined ? Object.keys(schema.shape) : keysAt(schema.shape[String(step)], rest)
  }
  if (step === undefined) return []
  if (schema instanceof z.ZodArray) return keysAt(schema.element, rest)
  if (schema instanceof z.ZodRecord) return keysAt(schema.valueType, rest)
  return []
}

const missingKey = (source: Source, path: DataPath): Issue => {
  const issue = issueAt(source, path.slice(0, -1), `the key \`${String(path.at(-1))}\` is missing`)
  const isPin = path.at(-1) === 'sha256' && path[0] === 'artifacts'
  return isPin ? { ...issue, message: 'an artifact needs its `sha256`', code: 'ARTIFACT_UNPINNED' } : issue
}

const translate = (schema: z.ZodType, source: Source, issue: z.core.$ZodIssue): Issue[] => {
  const value = valueAt(source.data, issue.path)
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, issue.path)
    return issue.keys.map((key) =>
      issueAt(source, [...issue.path, key], `unknown key \`${key}\`${suggestion(key, known)}`, 'key'),
    )
  }
  if (issue.code === 'invalid_key') {
    return [issueAt(source, issue.path, issue.issues[0]?.message ?? issue.message, 'key')]
  }
  if (issue.path.length > 0 && value === undefined) return [missingKey(source, issue.path)]
  if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input')) {
    const expected = typeNames[issue.expected] ?? issue.expected
    const quotes = issue.expected === 'string' && isLiteral(value) ? ' — put it in quotes' : ''
    return [issueAt(source, issue.path, `expected ${expected}, got ${describeValue(value)}${quotes}`)]
  }
  if (issue.code === 'invalid_value') {
    const names = issue.values.map(String)
    const meant = typeof value === 'string' ? suggestion(value, names) : ''
    const list = names.map((name) => `\`${name}\``).join(', ')
    return [issueAt(source, issue.path, `expected one of ${list}, got ${describeValue(value)}${meant}`)]
  }
  return [issueAt(source, issue.path, `${issue.message}, got ${describeValue(value)}`)]
}

/** Check a file's data against a schema: the typed value, or every mistake with its place. */
export const validate = <T>(
  schema: z.ZodType<T>,
  source: Source,
): { value: T; issues: [] } | { value: undefined; issues: Issue[] } => {
  const result = schema.safeParse(source.data)
  if (result.success) return { value: result.data, issues: [] }
  return { value: undefined, issues: result.error.issues.flatMap((issue) => translate(schema, source, issue)) }
}
