import { exitCodeOf, PibakeError } from '../core/error.ts'
import type { Paint } from './style.ts'

const causeOf = (error: unknown): string | undefined => {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error ? cause.message : undefined
}

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/**
 * What the terminal says of a failure: the sentence, its details, the hint and the code; for a plain Error, that it is a
 * bug of pibake. `logPath` is named where there is a log; without one a bug shows its stack.
 */
export const renderFailure = (error: unknown, options: { paint: Paint; logPath: string | undefined }): string[] => {
  const { paint, logPath } = options
  const log = logPath === undefined ? [] : [paint('dim', `  log: ${logPath}`)]
  if (error instanceof PibakeError) {
    if (error.code === 'INTERRUPTED') return [`${paint('yellow', '✗')} ${error.message}`, `  → ${error.hint}`]
    return [
      `${paint('red', '✗')} ${error.message}`,
      ...error.details.map((line) => `    ${line}`),
      `  → ${error.hint}`,
      paint('dim', `  code: ${error.code}`),
      ...(exitCodeOf(error) === 2 ? [] : log),
    ]
  }
  const stack = error instanceof Error ? (error.stack ?? '').split('\n').slice(1) : []
  return [
    `${paint('red', '✗')} A bug in pibake: ${said(error)}`,
    ...(logPath === undefined ? stack.map((line) => `    ${line.trim()}`) : []),
    `  → Please report it, with ${logPath === undefined ? 'the lines above' : 'the log named below'}.`,
    ...log,
  ]
}

/** A failure as plain data, for `--json` and for the log. */
export const failureRecord = (error: unknown): Readonly<Record<string, unknown>> =>
  error instanceof PibakeError
    ? { code: error.code, message: error.message, hint: error.hint, details: error.details, cause: causeOf(error) }
    : {
        code: 'BUG',
        message: said(error),
        stack: error instanceof Error ? error.stack : undefined,
        cause: causeOf(error),
      }
