/** Reads TAP (testanything.org, version 13) as ava prints it, once or several times, followed by `# exit STATUS`, line by line. */
export interface TapSummary {
  line(line: string): void
  /** Say the totals, as the last line; true when all is well. */
  end(): boolean
}

/**
 * `say` gets whole lines: failures with what ava says of them, the totals; with `verbose` each passed test as well.
 * `status` gets a short text that the next one replaces. Tests to be written (TODO) count as skipped.
 */
export const createTapSummary = (options: {
  say: (text: string) => void
  status: (text: string) => void
  verbose: boolean
}): TapSummary => {
  const { say, status, verbose } = options
  const counts = { passed: 0, failed: 0, skipped: 0 }
  let isFailure = false
  let exit: string | undefined
  let begun = 0
  let ended = 0
  const failed: string[] = []

  const verdict = (isOk: boolean, title: string, directive: string | undefined): void => {
    isFailure = directive === undefined && !isOk
    if (directive !== undefined) counts.skipped += 1
    else counts[isOk ? 'passed' : 'failed'] += 1
    const mark = directive !== undefined ? '-' : isOk ? '✓' : '✗'
    if (isFailure) failed.push(title)
    if (isFailure || verbose || directive !== undefined) {
      status('')
      say(`${mark} ${title}${directive === undefined ? '' : ` (${directive.toLowerCase()})`}`)
    }
    status(`${counts.passed + counts.failed + counts.skipped}  ${title}`)
  }

  return {
    line(line) {
      if (line.startsWith('TAP version')) begun += 1
      if (/^1\.\.\d/.test(line)) ended += 1
      const [, not, title, directive] = /^(not )?ok \d+ - (.*?)(?: # (SKIP|TODO)\b.*)?$/.exec(line) ?? []
      const [, status] = /^# exit (\d+)$/.exec(line) ?? []
      if (title !== undefined) verdict(not === undefined, title, directive)
      else if (status !== undefined) exit = status
      else if (/^(?:TAP version|1\.\.|# (?:tests|pass|skip|fail|todo) )/.test(line) || line === '') isFailure = false
      else if (isFailure || !/^(?:#| {2})/.test(line) || (verbose && line.startsWith('#   '))) say(`  ${line}`)
    },
    end() {
      status('')
      const isWhole = begun <= ended && (exit === '0' || counts.failed > 0)
      if (failed.length > 0) say(`\nFailed:\n${failed.map((title) => `  ✗ ${title}`).join('\n')}`)
      if (!isWhole) {
        counts.failed += 1
        say(`\n✗ ava did not come to its end (exit status ${exit ?? 'unknown'})`)
      }
      say(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
      return counts.failed === 0 && counts.passed > 0
    },
  }
}
