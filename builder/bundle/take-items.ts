import { statfs } from 'node:fs/promises'
import type { Blobs } from '../cache/blobs.ts'
import type { Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import { formatBytes } from '../core/size.ts'

/** Something that others offer to the cache. */
export interface Offered {
  sha256: Sha256
  sizeBytes: number
  label: string
  read: () => AsyncIterable<Uint8Array>
}

/** What of it came in. */
export interface Taken {
  added: Offered[]
  /** What is not what its digest says: nothing of it was taken. */
  refused: Offered[]
}

/** What the store lacks of what is offered. */
export const lacking = async (offered: readonly Offered[], blobs: Blobs): Promise<Offered[]> => {
  const isThere = await Promise.all(offered.map(({ sha256, sizeBytes }) => blobs.hasBlob(sha256, sizeBytes)))
  return offered.filter((_, index) => !isThere[index])
}

/** Throw `DISK_FULL` unless the disk of `folder`, which is there, has room for so many bytes. */
const assertRoom = async (folder: string, sizeBytes: number): Promise<void> => {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize > sizeBytes) return
  throw new PibakeError('DISK_FULL', `There is no room for ${formatBytes(sizeBytes)} in the cache.`, {
    hint: 'Free some space (`pibake cache prune` drops what no lock needs), then run the same command again.',
  })
}

/** Take one item in, if it is what its digest says. */
const take = async ({ sha256, label, read }: Offered, blobs: Blobs, signal: AbortSignal): Promise<boolean> => {
  await using blob = await blobs.beginBlob({ label })
  try {
    for await (const chunk of read()) {
      signal.throwIfAborted()
      await blob.write(chunk)
    }
    await blob.commit(sha256)
    return true
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof PibakeError && error.code === 'DISK_FULL') throw error
    return false
  }
}

/**
 * Take items into the store, each whole or not at all, so that an interrupted import goes on when it is run again.
 * `folder` is on the disk that they go to. Throws `DISK_FULL`.
 */
export const takeItems = async (
  items: readonly Offered[],
  options: { blobs: Blobs; folder: string; emit: Emit; signal: AbortSignal },
): Promise<Taken> => {
  const { blobs, folder, emit, signal } = options
  const taken: Taken = { added: [], refused: [] }
  if (items.length === 0) return taken
  const total = items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  await assertRoom(folder, total)
  const id = 'take-items'
  await runStep(emit, { id, title: `Take ${items.length} items in (${formatBytes(total)})` }, async () => {
    let done = 0
    for (const item of items) {
      signal.throwIfAborted()
      const list = (await take(item, blobs, signal)) ? taken.added : taken.refused
      list.push(item)
      done += item.sizeBytes
      emit({ type: 'step-progress', id, done, total, unit: 'bytes', note: item.label })
    }
  })
  return taken
}
