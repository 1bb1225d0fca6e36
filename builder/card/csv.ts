import type { Position } from '../profile/issue.ts'

/** A cell of a table, and where it begins. */
export interface Cell extends Position {
  text: string
}

/** Something that is no table, and where. */
export interface CsvFault extends Position {
  message: string
}

const separators = [',', ';', '\t'] as const
const lineEnd = /\r\n|\n|\r/y
const blanks = /[ \u00a0]*/y

/** What separates cells: of the usual signs the one that the first line has most of. */
const findSeparator = (text: string): string => {
  const [first = ''] = text.split(/[\r\n]/, 1)
  const count = (sign: string): number => first.split(sign).length
  return separators.reduce((best, sign) => (count(sign) > count(best) ? sign : best))
}

/**
 * Read comma-separated values by RFC 4180, with the place of every cell, which no library tells. Cells may be separated by
 * `;` or tabs as well, as spreadsheets write them where a comma is decimal. Spaces around cells without quotes, and rows
 * of empty cells, are left out. Reading ends at the first fault.
 */
export const parseCsv = (text: string): { rows: Cell[][]; faults: CsvFault[] } => {
  const separator = findSeparator(text)
  const rows: Cell[][] = []
  let at = 0
  let line = 1
  let lineStart = 0

  const here = (): Position => ({ line, column: at - lineStart + 1 })
  const match = (pattern: RegExp): string => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0] ?? ''
  }
  /** Go over a line's end, if one is here. */
  const takeLineEnd = (): boolean => {
    const end = match(lineEnd)
    if (end === '') return false
    at += end.length
    line += 1
    lineStart = at
    return true
  }
  /** The text in quotes that begin here; undefined when they never end. */
  const takeQuoted = (): string | undefined => {
    let content = ''
    at += 1
    while (at < text.length) {
      const from = at
      if (text[at] !== '"') {
        if (!takeLineEnd()) at += 1
        content += text.slice(from, at)
      } else if (text[at + 1] === '"') {
        content += '"'
        at += 2
      } else {
        at += 1
        return content
      }
    }
    return undefined
  }
  const takePlain = (): string => {
    const from = at
    while (at < text.length && text[at] !== separator && text[at] !== '\n' && text[at] !== '\r') at += 1
    return text.slice(from, at).trim()
  }

  let row: Cell[] = []
  const endRow = (): void => {
    if (row.some((cell) => cell.text !== '')) rows.push(row)
    row = []
  }
  while (at < text.length) {
    at += match(blanks).length
    const place = here()
    const content = text[at] === '"' ? takeQuoted() : takePlain()
    if (content === undefined) return { rows, faults: [{ ...place, message: 'the quotes that begin here never end' }] }
    row.push({ text: content, ...place })
    at += match(blanks).length
    if (text[at] === separator) at += 1
    else if (takeLineEnd()) endRow()
    else if (at < text.length) {
      return { rows, faults: [{ ...here(), message: 'there is text behind the quotes of a cell' }] }
    }
  }
  endRow()
  return { rows, faults: [] }
}
