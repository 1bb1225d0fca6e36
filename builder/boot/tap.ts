import { type CheckResult, isFailure, type TestReport } from './report.ts'

/** A description must not look like a directive or break its line (TAP 14, "Escaping"). */
const describe = (check: CheckResult): string =>
  `${check.stage}: ${check.title}`.replace(/\s+/g, ' ').replace(/[\\#]/g, '\\$&')

const diagnostics = (check: CheckResult): string[] => [
  '  ---',
  `  name: ${JSON.stringify(check.name)}`,
  `  outcome: ${check.outcome}`,
  `  duration_ms: ${Math.round(check.durationMs)}`,
  ...(check.outcome === 'passed' ? [] : ['  output: |2', ...check.output.split('\n').map((line) => `    ${line}`)]),
  '  ...',
]

/** A test report as TAP version 14 (https://testanything.org/tap-version-14-specification.html). */
export const renderTap = (report: TestReport): string =>
  [
    'TAP version 14',
    `1..${report.checks.length}`,
    ...report.checks.flatMap((check, index) => [
      `${isFailure(check) ? 'not ok' : 'ok'} ${index + 1} - ${describe(check)}${check.outcome === 'skipped' ? ' # SKIP' : ''}`,
      ...diagnostics(check),
    ]),
    '',
  ].join('\n')
