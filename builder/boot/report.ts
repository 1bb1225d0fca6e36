import { PibakeError } from '../core/error.ts'
import type { Board } from './board.ts'

export interface CheckResult {
  /** The stage that declares it; `system` for those of pibake itself. */
  stage: string
  name: string
  title: string
  /** `skipped` is what a check says of itself by status 77: what it asks about is not on this image. */
  outcome: 'passed' | 'skipped' | 'failed' | 'timeout'
  durationMs: number
  /** What the check printed; after a failure also the journals that may explain it. */
  output: string
}

/** Where a node of a lab is reached. */
export interface NodeAddress {
  name: string
  /** Its front page, such as `http://127.0.0.1:40080/`. */
  portal: string
  /** Port of 127.0.0.1 for SSH. */
  sshPort: number
}

/** What a boot test found. */
export interface TestReport {
  /** Path of the image; of a lab of several, their paths with a space between. */
  image: string
  board: Board
  bootMs: number
  /** Of a lab: its nodes, and where each was to be reached from this machine. */
  nodes?: readonly NodeAddress[]
  checks: CheckResult[]
}

export const isFailure = ({ outcome }: CheckResult): boolean => outcome === 'failed' || outcome === 'timeout'

export const failedChecks = (report: TestReport): CheckResult[] => report.checks.filter(isFailure)

/** Throw `CHECKS_FAILED` with the output of each check that did not pass. */
export const requirePassed = (report: TestReport): void => {
  const failed = failedChecks(report)
  if (failed.length === 0) return
  const look = report.nodes ? `pibake lab ${report.image} --no-checks` : `pibake run ${report.image}`
  throw new PibakeError('CHECKS_FAILED', `${failed.length} of ${report.checks.length} checks failed.`, {
    hint: `Boot it for a look by hand: \`${look}\``,
    details: failed.flatMap(({ stage, title, output }) => [
      `${stage}: ${title}`,
      ...output.split('\n').map((line) => `  ${line}`),
    ]),
  })
}
