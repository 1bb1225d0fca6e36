import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { mkdtemp, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { PibakeError } from '../core/error.ts'
import { runStep } from '../core/event.ts'
import { runTool } from '../host/sandbox.ts'
import { type BootRequest, bootImage } from './boot.ts'
import { recoveryChecks } from './built-in.ts'
import { readStageFiles, runChecks } from './checks.ts'
import { diskSizeBytes } from './overlay.ts'
import { type PowerCheck, parsePowerChecks, verifyKept, writeOnce } from './power-checks.ts'
import { type CheckResult, isFailure, type TestReport } from './report.ts'
import { verifyImage } from './verify.ts'
import { readWriteLog, replayWrites, survivingWrites, type WriteLogEntry } from './write-log.ts'

export interface PowerCutRequest extends Omit<BootRequest, 'sshKey' | 'autologin' | 'forwards' | 'writeLog'> {
  /** How many moments are tried. */
  cuts: number
  /** The same seed chooses the same moments of the same log. */
  seed: number
}

/** Something that a service promised to keep, when the log of writes had `logBytes`. */
interface Kept {
  check: PowerCheck
  token: string
  logBytes: number
}

interface Recording {
  bootMs: number
  checks: readonly PowerCheck[]
  kept: readonly Kept[]
  /** Bytes of the log when the first boot was over and the writing began. */
  bootedBytes: number
}

/** Whether a cut hits the first boot, and how many entries of the log come before it. */
interface Moment {
  isFirstBoot: boolean
  count: number
}

/** For how long the services write. */
const writeMs = 60_000
/** Of the moments, this part is taken from the first boot, when the card gets its identity and its size. */
const firstBootShare = 0.25

/** Numbers from 0 to below 1 that a seed gives again and again. */
const createRandom = (seed: number): (() => number) => {
  let drawn = 0
  return () => {
    drawn += 1
    return createHash('sha256').update(`${seed} ${drawn}`).digest().readUInt32LE(0) / 2 ** 32
  }
}

/** Boot the image for the first time and let its services write, with every write to the disk taken down in `log`. */
const record = async (request: PowerCutRequest, log: string): Promise<Recording> => {
  const { emit, signal } = request
  await using guest = await bootImage({ ...request, writeLog: log })
  const checks = (await readStageFiles(guest, signal)).flatMap(parsePowerChecks)
  // At once, and not when the disk finds time for it: what is accepted later must not count as accepted before.
  const logBytes = (): number => statSync(log).size
  const bootedBytes = logBytes()
  const kept: Kept[] = []
  const work = async (): Promise<void> => {
    const startedAt = performance.now()
    for (let round = 0; performance.now() - startedAt < writeMs; round += 1) {
      const check = checks[round % checks.length]
      if (!check) {
        await guest.run('dd if=/dev/urandom of=/var/tmp/pibake-write bs=1M count=8 conv=fsync && sync')
        continue
      }
      const onAccepted = (token: string): void => {
        kept.push({ check, token, logBytes: logBytes() })
      }
      await writeOnce(guest, { check, onAccepted, signal })
      emit({ type: 'output', id: 'write', line: `${check.stage}: ${kept.length} things accepted` })
    }
  }
  await runStep(emit, { id: 'write', title: 'Let the services write', expectedMs: writeMs }, work)
  return { bootMs: guest.bootMs, checks, kept, bootedBytes }
}

const endOf = ({ dataOffset, lengthBytes }: WriteLogEntry): number => dataOffset + lengthBytes

/** Draw the moments: the share of the first boot, the others from the time in which the services wrote; in order. */
export const drawMoments = (
  entries: readonly WriteLogEntry[],
  options: { bootedBytes: number; cuts: number; random: () => number },
): Moment[] => {
  const { bootedBytes, cuts, random } = options
  const booted = entries.findLastIndex((entry) => endOf(entry) <= bootedBytes) + 1
  const early = Math.ceil(cuts * firstBootShare)
  const moments = Array.from({ length: cuts }, (_, index): Moment => {
    const isFirstBoot = index < early
    const [low, high] = isFirstBoot ? [0, booted] : [booted, entries.length]
    return { isFirstBoot, count: low + 1 + Math.floor(random() * (high - low)) }
  })
  return moments.sort((one, other) => one.count - other.count)
}

/** Boot what a cut has left on the disk, and ask whether it is whole and holds what was promised. */
const bootAgain = async (
  request: PowerCutRequest,
  options: { disk: string; name: string; title: string; recording: Recording; cutBytes: number },
): Promise<CheckResult[]> => {
  const { emit, signal } = request
  const { disk, name, title, recording, cutBytes } = options
  const about = ({ name: check, title: what, ...rest }: CheckResult): CheckResult => ({
    ...rest,
    name: `${name}-${check}`,
    title: `${title}: ${what}`,
  })
  const startedAt = performance.now()
  try {
    await using guest = await bootImage({ ...request, image: disk })
    const results = await runChecks(guest, recoveryChecks, { id: 'boot', emit, ...(signal ? { signal } : {}) })
    for (const check of recording.checks) {
      const kept = recording.kept.filter((item) => item.check === check && item.logBytes <= cutBytes)
      const accepted = kept.map(({ token }) => token)
      if (accepted.length === 0) continue
      const verdict = await verifyKept(guest, { check, accepted, signal })
      for (const line of verdict.output.split('\n')) emit({ type: 'output', id: 'boot', line })
      results.push({ ...check, ...verdict })
    }
    return results.map(about)
  } catch (error) {
    if (!(error instanceof PibakeError) || error.code !== 'BOOT_FAILED') throw error
    const output = [error.message, ...error.details].join('\n')
    const durationMs = performance.now() - startedAt
    return [about({ stage: 'system', name: 'boot', title: 'it boots again', outcome: 'failed', durationMs, output })]
  }
}

/**
 * Boot an image for the first time, let its services write, and look at what is left when the power is cut at random
 * moments. The disk of each moment is put together from the log of all writes: what the guest had flushed is on it, and of
 * what it had not, a random part, as a card may leave it. Each is booted; failed checks are in the report, not thrown.
 * Throws `IMAGE_INVALID`, `BOOT_FAILED` (the first boot) and `CHECKS_FAILED` (a service that does not write at all).
 */
export const testPowerCuts = async (request: PowerCutRequest): Promise<TestReport> => {
  const { tools, image, cuts, seed, emit, signal } = request
  await verifyImage(image, { emit, ...(signal ? { signal } : {}) })
  const folder = await mkdtemp(join(request.scratch, 'power-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const log = join(folder, 'writes.log')
  const disk = join(folder, 'disk.img')
  const recording = await record(request, log)
  const entries = await readWriteLog(log)
  const random = createRandom(seed)
  const moments = drawMoments(entries, { bootedBytes: recording.bootedBytes, cuts, random })
  const { size } = await stat(image)
  const results: CheckResult[] = []
  for (const [index, { isFirstBoot, count }] of moments.entries()) {
    const last = entries[count - 1]
    if (!last) throw new Error('a moment beyond the log')
    const when = isFirstBoot ? 'in the first boot' : 'while services write'
    const title = `cut ${index + 1} of ${cuts}, ${when}`
    emit({
      type: 'notice',
      level: 'info',
      message: `The power is cut: ${title}, after ${count} of ${entries.length} writes.`,
    })
    await runTool(tools, ['cp', '--sparse=always', image, disk], {
      readOnly: [image],
      writable: [folder],
      ...(signal ? { signal } : {}),
    })
    await truncate(disk, diskSizeBytes(size, request.board))
    await replayWrites({ log, disk, writes: survivingWrites(entries, count, () => random() < 0.5) })
    const name = `cut-${index + 1}`
    const found = await bootAgain(request, { disk, name, title, recording, cutBytes: endOf(last) })
    const failed = found.filter(isFailure).map((result) => result.title)
    for (const message of failed) emit({ type: 'notice', level: 'warn', message: `Not so: ${message}.` })
    results.push(...found)
  }
  return { image, board: request.board, bootMs: recording.bootMs, checks: results }
}
