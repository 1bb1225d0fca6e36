import { formatDuration } from '../core/size.ts'
import { memoryCheck } from './built-in.ts'
import { failedChecks, type TestReport } from './report.ts'

const marks = { passed: 'ok', skipped: 'skipped', failed: 'FAILED', timeout: 'TIMEOUT' } as const

/** What the services hold of memory, as the guest itself counted it; nothing where it was not asked, as in a lab. */
const memoryLines = ({ checks }: TestReport): string[] => {
  const { stage, name } = memoryCheck
  const counted = checks.find((check) => check.stage === stage && check.name === name && check.outcome === 'passed')
  return counted ? ['', ...counted.output.split('\n'), ''] : []
}

/** A test report as a table for people: a line a check, the memory of services, then a line of totals. */
export const renderTable = (report: TestReport): string => {
  const rows = report.checks.map(({ outcome, stage, title, durationMs }) => [
    marks[outcome],
    stage,
    title,
    formatDuration(durationMs),
  ])
  const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column === 3 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  '),
  )
  const failed = failedChecks(report).length
  const skipped = report.checks.filter(({ outcome }) => outcome === 'skipped').length
  const asked = rows.length - skipped
  const left = skipped === 0 ? '' : `, ${skipped} skipped`
  const verdict = failed === 0 ? `all ${asked} checks passed${left}` : `${failed} of ${asked} checks failed${left}`
  const what = report.nodes ? `${report.nodes.length} nodes booted` : 'booted'
  const total = `${verdict}; ${what} in ${formatDuration(report.bootMs)} on ${report.board}`
  return [...lines, ...memoryLines(report), total].join('\n')
}
