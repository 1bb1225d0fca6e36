import type { Board } from './machine.ts'

export interface CheckResult {
  /** The stage that declares it; `system` for those of pibake itself. */
  stage: string
  name: string
  title: string
  outcome: 'passed' | 'failed' | 'timeout'
  durationMs: number
  /** What the check printed; after a failure also the journals that may explain it. */
  output: string
}

/** What a boot test found. */
export interface TestReport {
  /** Path of the image. */
  image: string
  board: Board
  bootMs: number
  checks: CheckResult[]
}

export const failedChecks = (report: TestReport): CheckResult[] =>
  report.checks.filter(({ outcome }) => outcome !== 'passed')
