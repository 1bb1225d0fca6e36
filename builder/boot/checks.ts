import { z } from 'zod'
import { PibakeError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { Guest } from './boot.ts'
import { type GuestCheck, memoryCheck, purgeCheck, systemChecks } from './built-in.ts'
import type { GuestResult } from './console.ts'
import { quoteWord } from './protocol.ts'
import type { CheckResult } from './report.ts'

const stageOnImage = z.object({
  name: z.string(),
  checks: z
    .array(z.object({ name: z.string(), title: z.string(), path: z.string(), timeoutSeconds: z.number().positive() }))
    .default([]),
})

/** Read a stage's file on the image; `what` of it the schema is for. Throws `IMAGE_INVALID` for anything else. */
export const parseStageFile = <T>(schema: z.ZodType<T>, json: string, what: string): T => {
  try {
    return schema.parse(JSON.parse(json))
  } catch (cause) {
    throw new PibakeError('IMAGE_INVALID', `A stage on the image declares ${what} in a way pibake cannot read.`, {
      hint: 'Bake the image with this version of pibake.',
      details: json.split('\n').slice(0, 20),
      cause,
    })
  }
}

/** The checks that a stage's file under /usr/share/pibake/stages declares. Throws `IMAGE_INVALID` for anything else. */
export const parseStageChecks = (json: string): GuestCheck[] => {
  const { name: stage, checks } = parseStageFile(stageOnImage, json, 'its checks')
  return checks.map(({ name, title, path, timeoutSeconds }) => ({
    stage,
    name,
    title,
    script: `exec ${quoteWord(path)}`,
    timeoutMs: timeoutSeconds * 1000,
  }))
}

/** What the guest answers about itself; half an answer is none, so a time-out is thrown as `BOOT_FAILED`. */
const ask = async (
  guest: Pick<Guest, 'run'>,
  script: string,
  options: { about: string; signal?: AbortSignal },
): Promise<string> => {
  const { output, timedOut } = await guest.run(script, options.signal ? { signal: options.signal } : {})
  if (!timedOut) return output
  throw new PibakeError('BOOT_FAILED', `The guest did not say in time ${options.about}.`, {
    hint: 'Test it again when this machine has less to do.',
    details: output.split('\n').slice(-10),
  })
}

/** The files under /usr/share/pibake/stages, in the order of their names. Throws `BOOT_FAILED` when they take too long. */
export const readStageFiles = async (guest: Pick<Guest, 'run'>, signal?: AbortSignal): Promise<string[]> => {
  const script = `for file in /usr/share/pibake/stages/*.json; do [ -f "$file" ] || continue; base64 -w 0 "$file"; echo; done`
  const listing = await ask(guest, script, { about: 'which checks its stages declare', ...(signal ? { signal } : {}) })
  const lines = listing.split('\n').filter((line) => line !== '')
  return lines.map((line) => Buffer.from(line, 'base64').toString())
}

/** What to ask the guest: the checks of pibake, those of its stages by name, and at last the purge of one package. */
export const collectChecks = async (
  guest: Pick<Guest, 'run'>,
  options: { purge?: string; signal?: AbortSignal } = {},
): Promise<GuestCheck[]> => {
  const signal = options.signal ? { signal: options.signal } : {}
  const files = await readStageFiles(guest, options.signal)
  const declared = files.flatMap(parseStageChecks)
  const purge = options.purge ?? 'ssb-pub'
  const installed = await ask(guest, `dpkg-query -W -f '\${db:Status-Status}' ${quoteWord(`pibake-${purge}`)}`, {
    about: 'whether the package to purge is installed',
    ...signal,
  })
  const canPurge = installed === 'installed'
  if (options.purge !== undefined && !canPurge) {
    throw new PibakeError('UNKNOWN_NAME', `The image has no package \`pibake-${purge}\` to purge.`, {
      hint: 'Name a stage of the image.',
    })
  }
  return [
    ...systemChecks({ hasStages: files.length > 0 }),
    ...declared,
    memoryCheck,
    ...(canPurge ? [purgeCheck(purge)] : []),
  ]
}

/** The same checks with the time that a machine needs which is slower than `virt` by `patience`. */
export const allowTime = (checks: readonly GuestCheck[], patience: number): GuestCheck[] =>
  checks.map((check) => ({ ...check, timeoutMs: check.timeoutMs * patience }))

/** Journals that may explain a failure: of the failed units, and of the stage's own. */
export const explain = async (
  guest: Pick<Guest, 'run'>,
  stage: string,
  signal: AbortSignal | undefined,
): Promise<string> => {
  const script = `
units=$( { systemctl --failed --no-legend --plain | cut -d ' ' -f 1
  dpkg -L ${quoteWord(`pibake-${stage}`)} 2>/dev/null | sed -n 's#.*/systemd/system/\\([^/@]*\\.service\\)$#\\1#p'; } | sort -u)
for unit in $units; do
  echo "--- journal of $unit"
  journalctl -b --no-pager -q -o short -n 50 -u "$unit"
done`
  const { output } = await guest.run(script, signal ? { signal } : {})
  return output
}

/** What an exit status says, any other being a failure; 77 as in Automake's test driver. */
const outcomes: ReadonlyMap<number, CheckResult['outcome']> = new Map([
  [0, 'passed'],
  [77, 'skipped'],
])

/** How a check ended. */
export const outcomeOf = ({
  timedOut,
  exitCode,
}: Pick<GuestResult, 'timedOut' | 'exitCode'>): CheckResult['outcome'] =>
  timedOut ? 'timeout' : (outcomes.get(exitCode) ?? 'failed')

/**
 * Run checks in the guest one after the other, each with its own time-out. A failed one carries its output and the
 * journals that may explain it; it does not end the run. Progress is emitted on the step `id`.
 */
export const runChecks = async (
  guest: Pick<Guest, 'run'>,
  checks: readonly GuestCheck[],
  options: { id: string; emit: Emit; signal?: AbortSignal },
): Promise<CheckResult[]> => {
  const { id, emit, signal } = options
  const results: CheckResult[] = []
  for (const [index, { stage, name, title, script, timeoutMs }] of checks.entries()) {
    emit({ type: 'step-progress', id, done: index, total: checks.length, unit: 'items', note: `${stage}: ${title}` })
    const startedAt = performance.now()
    const { output, exitCode, timedOut } = await guest.run(script, { timeoutMs, ...(signal ? { signal } : {}) })
    const durationMs = performance.now() - startedAt
    const outcome = outcomeOf({ timedOut, exitCode })
    for (const line of output.split('\n')) emit({ type: 'output', id, line })
    const ending = timedOut ? `did not end within ${timeoutMs / 1000} s` : `ended with status ${exitCode}`
    const journals =
      outcome === 'passed' || outcome === 'skipped' ? '' : `\n(${ending})\n${await explain(guest, stage, signal)}`
    results.push({ stage, name, title, outcome, durationMs, output: `${output}${journals}`.trim() })
  }
  emit({ type: 'step-progress', id, done: checks.length, total: checks.length, unit: 'items' })
  return results
}
