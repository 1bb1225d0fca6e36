import { PibakeError } from '../core/error.ts'
import { findMirrors } from '../fetch/mirror.ts'
import { findRegistry } from '../fetch/registry.ts'
import { answers, askOverHttp } from '../fetch/text.ts'
import type { Probe } from '../host/capabilities.ts'
import { examineHost, type Reachable } from '../host/doctor.ts'
import type { Paint } from '../report/style.ts'
import { renderTable } from '../report/table.ts'
import { defineCommand } from './command.ts'

const findMirror = async (mirror: string | undefined, signal: AbortSignal): Promise<Reachable> => {
  const name = 'Debian mirror'
  const fix = 'Needed to fetch only: check the connection, or name another mirror with `--mirror` or PIBAKE_MIRROR.'
  const suite = 'trixie'
  try {
    const { main } = await findMirrors({
      suite,
      answers: (url) => answers(url, signal),
      ...(mirror === undefined ? {} : { mirror }),
    })
    return { name, url: `${main}/dists/${suite}/InRelease`, fix }
  } catch (error) {
    if (error instanceof PibakeError && error.code === 'NETWORK') return { name, url: undefined, fix: error.hint }
    throw error
  }
}

const findNpmRegistry = async (signal: AbortSignal): Promise<Reachable> => {
  const name = 'npm registry'
  const fix = 'Needed to fetch only: check the connection, or set another one with `npm config set registry`.'
  try {
    return { name, url: await findRegistry({ signal }), fix }
  } catch (error) {
    if (error instanceof PibakeError && error.code === 'NETWORK') return { name, url: undefined, fix: error.hint }
    throw error
  }
}

const marks = {
  ok: { format: 'green', text: '✓' },
  warn: { format: 'yellow', text: '!' },
  fail: { format: 'red', text: '✗' },
} as const

/** The findings as a table, each with its fix below it. */
export const renderProbes = (probes: readonly Probe[], paint: Paint): string[] => {
  const rows = probes.map(({ name, state, found }) => [paint(marks[state].format, marks[state].text), name, found])
  const lines = renderTable(rows).flatMap((row, index) => {
    const fix = probes[index]?.fix ?? ''
    return fix === '' ? [row] : [row, `   → ${fix}`]
  })
  const missing = probes.filter(({ state }) => state === 'fail').length
  const verdict =
    missing === 0
      ? 'This machine has all that pibake needs.'
      : `Missing: ${probes.flatMap(({ name, state }) => (state === 'fail' ? [name] : [])).join(', ')}.`
  return [...lines, '', verdict]
}

export const doctor = defineCommand({
  options: {
    mirror: { type: 'string', describe: 'Debian mirror to try, instead of the one that apt of this machine uses' },
  },
  positionals: {},
  examples: [
    ['sudo $0 doctor', 'Try everything'],
    ['$0 doctor --json', 'The findings as JSON'],
  ],
  async run({ mirror }, { project, signal }) {
    const reachable = await Promise.all([findMirror(mirror, signal), findNpmRegistry(signal)])
    const probes = await examineHost({ project, reachable, ask: askOverHttp, signal })
    return {
      data: probes,
      lines: (paint) => renderProbes(probes, paint),
      exitCode: probes.some(({ state }) => state === 'fail') ? 1 : 0,
    }
  },
})
