import { readFile } from 'node:fs/promises'
import type { ReportedCheck, ReportedTest } from './report-data.ts'
import { readReport, reportPath, writeReport } from './report-file.ts'

/** What a check printed is kept where it explains something: where the check did not pass. */
const trim = ({ stage, title, outcome, durationMs, output }: ReportedCheck): ReportedCheck => ({
  stage,
  title,
  outcome,
  durationMs,
  ...(outcome === 'passed' || output === undefined ? {} : { output }),
})

/**
 * Add a test to the report beside an image, in place of an earlier one on the same board. Returns false, and does nothing,
 * where there is no report, or one about other bytes than the `.sha256` beside the image names.
 */
export const addTest = async (image: string, test: ReportedTest): Promise<boolean> => {
  const data = await readReport(image)
  const digest = await readFile(`${image}.sha256`, 'utf8').catch(() => '')
  if (!data?.bake || !digest.startsWith(data.bake.sha256)) return false
  const { board, testedAt, bootMs, checks } = test
  const tests = data.tests.filter((earlier) => earlier.board !== board)
  tests.push({ board, testedAt, bootMs, checks: checks.map(trim) })
  await writeReport(reportPath(image), { ...data, tests })
  return true
}
