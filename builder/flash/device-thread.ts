/**
 * The thread that one drive is written and read by: a drive that hangs holds up this thread and nothing else. It gets
 * orders one after the other and answers each.
 */
import { createHash, type Hash } from 'node:crypto'
import { fdatasyncSync, readSync, writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { alignedMemory } from './aligned.ts'

/** What every thread is started with. */
export interface ThreadData {
  /** Open file of the drive, with O_DIRECT. */
  fd: number
  /** The bytes that are written, shared by all drives. */
  shared: SharedArrayBuffer
}

export type Order =
  /** Write `length` shared bytes from `offset` on at `position` of the drive. */
  | { kind: 'write'; offset: number; length: number; position: number }
  | { kind: 'sync' }
  /** Read so many bytes, and hash them with those of the orders before; the last one answers with the digest. */
  | { kind: 'hash'; algorithm: string; position: number; length: number; isLast: boolean }

export interface Answer {
  id: number
  digest?: string
  error?: { code: string | undefined; message: string }
}

const sector = 512
/** The most that is read at once. */
export const hashBytes = 4 << 20

const wholeSectors = (length: number): number => Math.ceil(length / sector) * sector

const work = ({ fd, shared }: ThreadData): ((order: Order) => string | undefined) => {
  const output = new Uint8Array(shared)
  let input: Uint8Array | undefined
  let hash: Hash | undefined
  return (order) => {
    switch (order.kind) {
      case 'write':
        for (let done = 0; done < order.length; ) {
          const written = writeSync(fd, output, order.offset + done, order.length - done, order.position + done)
          // The kernel says so where a device ends (write(2)).
          if (written === 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
          done += written
        }
        return undefined
      case 'sync':
        fdatasyncSync(fd)
        return undefined
      case 'hash': {
        input ??= new Uint8Array(alignedMemory(hashBytes))
        hash ??= createHash(order.algorithm)
        const length = wholeSectors(order.length)
        for (let done = 0; done < length; ) {
          const read = readSync(fd, input, done, length - done, order.position + done)
          if (read === 0) throw Object.assign(new Error('it ends'), { code: 'EIO' })
          done += read
        }
        hash.update(input.subarray(0, order.length))
        if (!order.isLast) return undefined
        const digest = hash.digest('hex')
        hash = undefined
        return digest
      }
    }
  }
}

if (parentPort) {
  const port = parentPort
  const run = work(workerData as ThreadData)
  port.on('message', ({ id, order }: { id: number; order: Order }) => {
    try {
      const digest = run(order)
      port.postMessage({ id, ...(digest === undefined ? {} : { digest }) } satisfies Answer)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      port.postMessage({ id, error: { code, message } } satisfies Answer)
    }
  })
}
