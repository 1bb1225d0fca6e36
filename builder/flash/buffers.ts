import { randomFillSync } from 'node:crypto'
import { alignedMemory } from './aligned.ts'
import { probeBytes, probesAtMost } from './probe-places.ts'
import { headBytes, windowBytes } from './windows.ts'

/** How far the reading may be ahead of the slowest drive. */
const slots = 12

/** The memory that drives are written from: page-aligned, of a fixed size whatever the number of drives. */
export interface Buffers extends Disposable {
  shared: SharedArrayBuffer
  bytes: Uint8Array
  /** Where the held-back first part of the image is. */
  headOffset: number
  /** `headBytes` of zeros. */
  zeroOffset: number
  /** Random blocks of `probeBytes`, each different. */
  noiseOffset: number
  /** As many bytes as were asked for, for what single drives are written from. */
  ownOffset: number
  /** Wait for a free window; its offset. Throws what `signal` was fired with. */
  acquire(): Promise<number>
  release(offset: number): void
}

export const makeBuffers = (signal: AbortSignal, { ownBytes = 0 } = {}): Buffers => {
  const headOffset = slots * windowBytes
  const zeroOffset = headOffset + headBytes
  const noiseOffset = zeroOffset + headBytes
  const ownOffset = noiseOffset + probesAtMost * probeBytes
  const buffer = alignedMemory(ownOffset + ownBytes)
  const bytes = new Uint8Array(buffer)
  randomFillSync(bytes, noiseOffset, ownOffset - noiseOffset)
  const free = Array.from({ length: slots }, (_, index) => index * windowBytes)
  let waiting: PromiseWithResolvers<number> | undefined
  const stop = (): void => waiting?.reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  return {
    ...{ shared: buffer, bytes, headOffset, zeroOffset, noiseOffset, ownOffset },
    async acquire() {
      signal.throwIfAborted()
      const offset = free.pop()
      if (offset !== undefined) return offset
      waiting = Promise.withResolvers()
      return waiting.promise
    },
    release(offset) {
      const next = waiting
      waiting = undefined
      if (next) next.resolve(offset)
      else free.push(offset)
    },
    [Symbol.dispose]: () => signal.removeEventListener('abort', stop),
  }
}
