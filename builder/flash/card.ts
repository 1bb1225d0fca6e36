import { createHash } from 'node:crypto'
import type { Emit } from '../core/event.ts'
import { runStep } from '../core/event.ts'
import { formatBytes } from '../core/size.ts'
import type { Buffers } from './buffers.ts'
import type { Device } from './device.ts'
import type { Check } from './extent-digests.ts'
import { differsOnReading, explainTarget } from './failures.ts'
import type { Loaded } from './load.ts'
import type { OwnWrite } from './own.ts'
import { prepareTarget } from './probe.ts'
import type { Target } from './target.ts'
import { headBytes, type Span } from './windows.ts'

/** What became of one drive. */
export interface CardResult {
  device: Pick<Device, 'name' | 'path' | 'model' | 'serial' | 'sizeBytes'>
  outcome: 'done' | 'failed'
  /** What was written of the image, in bytes. */
  writtenBytes: number
  writeMs: number
  /** 0 when nothing was read back. */
  readBackMs: number
  failure?: unknown
}

/** One drive while it is written. */
export interface Card {
  /** Resolves when the drive is ready for the image, or has failed. */
  ready: Promise<void>
  isLive(): boolean
  /** Take bytes of the image; resolves when they are no longer needed, whatever became of them. */
  put(loaded: Loaded): Promise<void>
  /** The whole image has been put, and is right. */
  complete(checks: readonly Check[], algorithm: string): void
  /** There will be no whole image. */
  abandon(error: unknown): void
  /** Resolves when all is over; never rejects. */
  result: Promise<CardResult>
}

export interface CardOptions {
  buffers: Buffers
  /** What is written of the image; 0 when not known. */
  totalBytes: number
  /** What this drive gets besides the image, over it; nothing of it in the first MiB. */
  own: readonly OwnWrite[]
  verify: boolean
  emit: Emit
  signal: AbortSignal
}

const titleOf = ({ name, model, sizeBytes }: Device): string =>
  [name, ...(model === '' ? [] : [model]), formatBytes(sizeBytes)].join(', ')

/**
 * Run one drive through: make it unstartable, try its size, write what is put, all of it onto the medium, read that back,
 * do the same with what is its own, and only then write the first MiB. Whatever goes wrong before leaves a drive that nothing starts from.
 */
export const startCard = (target: Target, options: CardOptions): Card => {
  const { buffers, totalBytes, own, verify, emit, signal } = options
  const { device } = target
  const ready = Promise.withResolvers<void>()
  const fed = Promise.withResolvers<{ checks: readonly Check[]; algorithm: string }>()
  fed.promise.catch(() => undefined)
  const puts: Promise<void>[] = []
  const written: Span[] = []
  const times = { writeMs: 0, readBackMs: 0 }
  let writtenBytes = 0
  let failure: unknown
  let hasHead = false
  let doing = 'it was prepared'

  const prepare = async (): Promise<Awaited<ReturnType<typeof prepareTarget>>> => {
    try {
      return await prepareTarget(target, buffers)
    } finally {
      ready.resolve()
    }
  }

  const write = async () => {
    const look = await prepare()
    doing = 'it was written'
    const { checks, algorithm } = await fed.promise
    await Promise.all(puts)
    if (failure !== undefined) throw failure
    await target.sync()
    return { look, checks, algorithm }
  }

  const compare = async (checks: readonly Check[], algorithm: string, onByte: (bytes: number) => void) => {
    for (const check of checks) {
      signal.throwIfAborted()
      if ((await target.digest(check, algorithm)) !== check.digest) throw differsOnReading(device, check.startBytes)
      onByte(check.endBytes - check.startBytes)
    }
  }

  const writeOwn = async (): Promise<void> => {
    signal.throwIfAborted()
    if (own.length === 0) return
    for (const bytes of own) await target.write(bytes)
    await target.sync()
    if (!verify) return
    for (const { offset, length, position } of own) {
      const digest = createHash('sha256')
        .update(buffers.bytes.subarray(offset, offset + length))
        .digest('hex')
      const found = await target.digest({ startBytes: position, endBytes: position + length }, 'sha256')
      if (found !== digest) throw differsOnReading(device, position)
    }
  }

  const writeHead = async (): Promise<void> => {
    signal.throwIfAborted()
    hasHead = true
    const length = Math.min(headBytes, device.sizeBytes)
    await target.write({ offset: buffers.headOffset, length, position: 0 })
    await target.sync()
  }

  const finish = async ({ look, checks, algorithm }: Awaited<ReturnType<typeof write>>): Promise<void> => {
    const id = `read-back:${device.name}`
    const total = checks.reduce((sum, { startBytes, endBytes }) => sum + endBytes - startBytes, 0)
    let done = 0
    const onByte = (bytes: number): void => {
      done += bytes
      emit({ type: 'step-progress', id, done, total, unit: 'bytes' })
    }
    // A check that begins in the head may go far beyond it; it waits for the head.
    const isOfHead = ({ startBytes }: Check): boolean => startBytes < headBytes
    doing = 'it was read back'
    if (verify)
      await compare(
        checks.filter((check) => !isOfHead(check)),
        algorithm,
        onByte,
      )
    await look(written)
    doing = 'its own settings were written'
    await writeOwn()
    doing = 'its first part was written'
    await writeHead()
    if (verify) await compare(checks.filter(isOfHead), algorithm, onByte)
  }

  const timed = async <T>(key: keyof typeof times, work: () => Promise<T>): Promise<T> => {
    const startedAt = performance.now()
    try {
      return await work()
    } finally {
      times[key] = performance.now() - startedAt
    }
  }

  const run = async (): Promise<CardResult> => {
    const { name, path, model, serial, sizeBytes } = device
    const base = { name, path, model, serial, sizeBytes }
    try {
      const written = await runStep(emit, { id: `write:${device.name}`, title: `Write ${titleOf(device)}` }, () =>
        timed('writeMs', write),
      )
      if (verify) {
        const step = { id: `read-back:${device.name}`, title: `Read back ${device.name}` }
        await runStep(emit, step, () => timed('readBackMs', () => finish(written)))
      } else await finish(written)
      return { device: base, outcome: 'done', writtenBytes, ...times }
    } catch (error) {
      failure ??= error
      if (hasHead) {
        const length = Math.min(headBytes, device.sizeBytes)
        await target
          .write({ offset: buffers.zeroOffset, length, position: 0 })
          .then(target.sync)
          .catch(() => undefined)
      }
      const explained = await explainTarget(error, device, doing)
      return { device: base, outcome: 'failed', writtenBytes, ...times, failure: explained }
    }
  }

  return {
    ready: ready.promise,
    isLive: () => failure === undefined,
    async put({ writes }) {
      if (failure !== undefined) return
      const put = (async () => {
        for (const bytes of writes) {
          written.push({ startBytes: bytes.position, endBytes: bytes.position + bytes.length })
          await target.write(bytes)
          writtenBytes += bytes.length
        }
        emit({
          type: 'step-progress',
          id: `write:${device.name}`,
          done: writtenBytes,
          total: totalBytes,
          unit: 'bytes',
        })
      })().catch((error: unknown) => {
        failure ??= error
        fed.reject(error)
      })
      puts.push(put)
      await put
    },
    complete: (checks, algorithm) => fed.resolve({ checks, algorithm }),
    abandon: (error) => fed.reject(error),
    result: run(),
  }
}
