import { createHash } from 'node:crypto'
import { setImmediate as breathe } from 'node:timers/promises'
import { asSha256, type Sha256 } from '../core/digest.ts'
import { resolveEntry } from './links.ts'
import type { Entry, Volume } from './volume.ts'

/** So much is read before others get a turn and an interruption is heard. */
const turnBytes = 32 << 20

interface HashOptions {
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

/** The most that `readText` reads: what is longer is none of the lists, settings and licences it is meant for. */
const mostTextBytes = 64 << 20

/** The text of the file at a path; undefined where there is none, or something else. Links are followed within the volume. */
export const readText = (volume: Volume, path: string): string | undefined => {
  const entry = resolveEntry(volume, path)
  if (entry?.kind !== 'file' || entry.sizeBytes > mostTextBytes) return undefined
  return Buffer.concat([...volume.readFile(entry)]).toString('utf8')
}
