import { createHash } from 'node:crypto'
import { setImmediate as breathe } from 'node:timers/promises'
import { asSha256, type Sha256 } from '../core/digest.ts'
import type { Entry, Volume } from './volume.ts'

/** So much is read before others get a turn and an interruption is heard. */
const turnBytes = 32 << 20

export interface HashOptions {
  signal?: AbortSignal
  /** Told of the bytes that were read since it was last told. */
  onRead?: (bytes: number) => void
}

/** A function that gives the SHA-256 of files in volumes; it throws the signal's reason when that fires. */
export const fileHasher = (options: HashOptions = {}): ((volume: Volume, entry: Entry) => Promise<Sha256>) => {
  let unheard = 0
  return async (volume, entry) => {
    const hash = createHash('sha256')
    for (const piece of volume.readFile(entry)) {
      hash.update(piece)
      unheard += piece.length
      if (unheard < turnBytes) continue
      options.onRead?.(unheard)
      unheard = 0
      await breathe()
      options.signal?.throwIfAborted()
    }
    return asSha256(hash.digest('hex'))
  }
}
