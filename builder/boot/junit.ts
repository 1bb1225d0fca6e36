import { type CheckResult, isFailure, type TestReport } from './report.ts'

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** Text for XML 1.0: entities for markup, and U+FFFD for what no XML document may hold (section 2.2, "Char"). */
export const escapeXml = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replace(/[&<>"']/g, (character) => entities[character] ?? character)

const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(3)

const renderCase = (check: CheckResult): string => {
  const open = `    <testcase classname="${escapeXml(check.stage)}" name="${escapeXml(check.title)}" time="${seconds(check.durationMs)}"`
  if (check.outcome === 'passed') return `${open}/>`
  if (check.outcome === 'skipped') {
    return `${open}>\n      <skipped message="${escapeXml(check.output)}"/>\n    </testcase>`
  }
  const message = check.outcome === 'timeout' ? 'did not end in time' : 'failed'
  return `${open}>\n      <failure message="${message}" type="${check.outcome}">${escapeXml(check.output)}</failure>\n    </testcase>`
}

/** A test report as JUnit XML, one suite a stage, in the dialect that CI services read (testsuites, testsuite, testcase). */
export const renderJunit = (report: TestReport): string => {
  const suites = Map.groupBy(report.checks, ({ stage }) => stage)
  const totals = (checks: readonly CheckResult[]): string => {
    const failures = checks.filter(isFailure).length
    const skipped = checks.filter(({ outcome }) => outcome === 'skipped').length
    const time = seconds(checks.reduce((sum, { durationMs }) => sum + durationMs, 0))
    return `tests="${checks.length}" failures="${failures}" errors="0" skipped="${skipped}" time="${time}"`
  }
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${escapeXml(`${report.image} on ${report.board}`)}" ${totals(report.checks)}>`,
    ...[...suites].flatMap(([stage, checks]) => [
      `  <testsuite name="${escapeXml(stage)}" ${totals(checks)}>`,
      ...checks.map(renderCase),
      '  </testsuite>',
    ]),
    '</testsuites>',
    '',
  ].join('\n')
}
