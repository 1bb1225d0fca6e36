import { close, constants, fstat, open } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { errnoOf, PibakeError } from '../core/error.ts'
import { type Device, isSameCard, readDevice } from './device.ts'
import { type Answer, hashBytes, type Order, type ThreadData } from './device-thread.ts'
import { deviceNumber } from './kernel.ts'

const openFile = promisify(open)
const statFile = promisify(fstat)
const closeFile = promisify(close)

/** A drive that is open for writing, and nobody else's meanwhile. */
export interface Target extends AsyncDisposable {
  device: Device
  /** Write `length` bytes of the shared memory, from `offset` on, at `position`: all of it in whole sectors. */
  write(bytes: { offset: number; length: number; position: number }): Promise<void>
  /** Wait until everything written is on the medium. */
  sync(): Promise<void>
  /** The digest of what the medium holds, read past all caches of this machine. */
  digest(span: { startBytes: number; endBytes: number }, algorithm: string): Promise<string>
}

const inUse = (path: string, cause: unknown): PibakeError =>
  new PibakeError('DEVICE_REFUSED', `\`${path}\` is in use by another program.`, {
    hint: 'Something has it mounted or open, perhaps in a container. Close that, or take the card out and in again.',
    cause,
  })

const explainOpen = (error: unknown, path: string): unknown => {
  switch (errnoOf(error)) {
    case 'EBUSY':
      return inUse(path, error)
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
    case 'ENOMEDIUM':
    case 'ENXIO':
    case 'ENODEV':
      return new PibakeError('DEVICE_REFUSED', `\`${path}\` cannot be opened for writing (${errnoOf(error)}).`, {
        hint: 'Is the card in, and its slider not on "lock"? Run the same command with `sudo`.',
        cause: error,
      })
    default:
      return error
  }
}

/**
 * Open the drive that was looked at, for this process alone; the number of the file, which nothing but `closeFile` closes
 * while a thread may still be using it. Throws `DEVICE_REFUSED`.
 */
const openDevice = async (device: Device): Promise<number> => {
  // O_EXCL keeps out mounts, swap, RAID and mapped devices, of the drive and of its partitions (open(2)).
  const flags = constants.O_RDWR | constants.O_EXCL | constants.O_DIRECT
  const fd = await openFile(device.path, flags).catch((error: unknown) => {
    throw explainOpen(error, device.path)
  })
  const number = deviceNumber((await statFile(fd)).rdev)
  if (isSameCard(device, await readDevice(number))) return fd
  await closeFile(fd)
  throw new PibakeError('DEVICE_REFUSED', `\`${device.path}\` is no longer the card that it was.`, {
    hint: 'It was changed meanwhile. Run the same command again.',
  })
}

/** A failure of the drive itself, as its thread met it. */
const deviceError = ({ code, message }: NonNullable<Answer['error']>): NodeJS.ErrnoException =>
  Object.assign(new Error(message), code === undefined ? {} : { code })

/** What a drive that gives no answer ends with. */
const stalled = (): NodeJS.ErrnoException => Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })

/**
 * Open a drive for writing through a thread of its own. An order that takes longer than `stallMs` fails with ETIMEDOUT; so
 * do all that follow. Throws `DEVICE_REFUSED` when it is in use or not the one that was looked at.
 */
export const openTarget = async (
  device: Device,
  { shared, stallMs }: { shared: SharedArrayBuffer; stallMs: number },
): Promise<Target> => {
  const fd = await openDevice(device)
  const workerData: ThreadData = { fd, shared }
  const worker = new Worker(new URL('./device-thread.ts', import.meta.url), { workerData })
  const waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: unknown) => void }>()
  let lastId = 0
  let failure: unknown
  const fail = (error: unknown): void => {
    failure ??= error
    for (const { reject } of waiting.values()) reject(failure)
    waiting.clear()
  }
  // The clock runs while the thread owes an answer, and starts anew with each.
  let clock: NodeJS.Timeout | undefined
  const wind = (): void => {
    clearTimeout(clock)
    if (waiting.size > 0) clock = setTimeout(() => fail(stalled()), stallMs)
  }
  worker.on('message', (answer: Answer) => {
    const order = waiting.get(answer.id)
    waiting.delete(answer.id)
    wind()
    if (answer.error) order?.reject(deviceError(answer.error))
    else order?.resolve(answer)
  })
  worker.on('error', fail)
  const ask = (order: Order): Promise<Answer> =>
    new Promise((resolve, reject) => {
      if (failure !== undefined) {
        reject(failure)
        return
      }
      lastId += 1
      waiting.set(lastId, { resolve, reject })
      if (waiting.size === 1) wind()
      worker.postMessage({ id: lastId, order })
    })
  return {
    device,
    async write(bytes) {
      await ask({ kind: 'write', ...bytes })
    },
    async sync() {
      await ask({ kind: 'sync' })
    },
    async digest({ startBytes, endBytes }, algorithm) {
      for (let position = startBytes; ; position += hashBytes) {
        const length = Math.min(hashBytes, endBytes - position)
        const isLast = position + length >= endBytes
        const { digest } = await ask({ kind: 'hash', algorithm, position, length, isLast })
        if (isLast) return digest ?? ''
      }
    },
    [Symbol.asyncDispose]: async () => {
      fail(stalled())
      clearTimeout(clock)
      // A thread that the kernel holds ends when the kernel lets go; nobody waits for that here.
      const ended = await Promise.race([worker.terminate().then(() => true), sleep(2000, false, { ref: false })])
      if (ended) await closeFile(fd).catch(() => undefined)
    },
  }
}
