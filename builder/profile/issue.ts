import { type ErrorCode, PibakeError } from '../core/error.ts'
import { nearest } from '../core/text.ts'

/** A place in a text file, line and column both from 1. */
export interface Position {
  line: number
  column: number
}

/** One mistake in a configuration file. */
export interface Issue extends Position {
  file: string
  message: string
  /** The offending line. */
  excerpt: string
  /** The error's code when all of its issues agree on one; otherwise `CONFIG_INVALID`. */
  code: ErrorCode
}

export const issueAtPosition = (
  source: { file: string; lines: readonly string[] },
  position: Position,
  message: string,
): Issue => ({
  file: source.file,
  line: position.line,
  column: position.column,
  message,
  excerpt: source.lines[position.line - 1] ?? '',
  code: 'CONFIG_INVALID',
})

/** ` — did you mean …?` for a misspelt name, or nothing. */
export const suggestion = (name: string, candidates: Iterable<string>): string => {
  const candidate = nearest(name, candidates)
  return candidate === undefined ? '' : ` — did you mean \`${candidate}\`?`
}

const formatIssue = (issue: Issue): string[] => {
  const gutter = String(issue.line)
  const before = issue.excerpt.slice(0, issue.column - 1).replaceAll(/[^\t]/g, ' ')
  const shown =
    issue.excerpt.trim() === '' ? [] : [`  ${gutter} | ${issue.excerpt}`, `  ${' '.repeat(gutter.length)} | ${before}^`]
  return [`${issue.file}:${issue.line}:${issue.column}: ${issue.message}`, ...shown]
}

/** Throw one `PibakeError` that lists every issue with its place and line; return when there is none. */
export const throwIssues = (issues: readonly Issue[]): void => {
  const [first] = issues
  if (first === undefined) return
  const files = [...new Set(issues.map((issue) => issue.file))]
  const where = files.length === 1 ? `\`${first.file}\`` : `${files.length} files`
  const codes = new Set(issues.map((issue) => issue.code))
  throw new PibakeError(
    codes.size === 1 ? first.code : 'CONFIG_INVALID',
    `${where} ${files.length === 1 ? 'has' : 'have'} ${issues.length === 1 ? 'a mistake' : `${issues.length} mistakes`}.`,
    {
      hint: 'Correct the lines that are listed, then run the same command again.',
      details: issues.flatMap(formatIssue),
    },
  )
}
