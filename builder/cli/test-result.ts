import { writeFile } from 'node:fs/promises'
import { requirePassed, type TestReport } from '../boot/report.ts'
import { PibakeError } from '../core/error.ts'
import type { Result } from './command.ts'

/** The options that say in which form the result of checks is wanted. */
export const resultOptions = {
  format: { choices: ['table', 'tap', 'junit'] as const, default: 'table' as const, describe: 'Form of the result' },
  tap: { type: 'string', describe: 'File to write the result to as TAP besides' },
  junit: { type: 'string', describe: 'File to write the result to as JUnit XML besides' },
} as const

const renderers = {
  table: async (report: TestReport) => (await import('../boot/table.ts')).renderTable(report),
  tap: async (report: TestReport) => (await import('../boot/tap.ts')).renderTap(report),
  junit: async (report: TestReport) => (await import('../boot/junit.ts')).renderJunit(report),
}

const write = async (path: string, text: string): Promise<void> => {
  await writeFile(path, text).catch((cause: unknown) => {
    throw new PibakeError('USAGE', `\`${path}\` cannot be written.`, {
      hint: 'Name a file in a folder that exists.',
      cause,
    })
  })
}

/** What a command returns after checks: the report in the wanted form, and the failure when one did not pass. */
export const reportResult = async (
  report: TestReport,
  { format, tap, junit }: { format: keyof typeof renderers; tap: string | undefined; junit: string | undefined },
): Promise<Result> => {
  if (tap !== undefined) await write(tap, await renderers.tap(report))
  if (junit !== undefined) await write(junit, await renderers.junit(report))
  const text = (await renderers[format](report)).trimEnd()
  let failure: unknown
  try {
    requirePassed(report)
  } catch (error) {
    failure = error
  }
  return { data: report, lines: () => [text], ...(failure === undefined ? {} : { failure }) }
}
