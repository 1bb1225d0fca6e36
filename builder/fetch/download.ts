import type { BlobInfo, Blobs } from '../cache/blobs.ts'
import { interrupted } from '../cache/failure.ts'
import { findByIntegrity, requireSha512 } from '../cache/integrity.ts'
import { runParallel } from '../cache/parallel.ts'
import { PibakeError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import { openConnections } from './connections.ts'
import { trackProgress } from './progress.ts'
import { type DownloadItem, transfer } from './transfer.ts'

export type { DownloadItem } from './transfer.ts'

export interface DownloadOptions {
  blobs: Blobs
  emit: Emit
  /** Step that the progress belongs to; the caller starts and ends it. */
  stepId: string
  signal?: AbortSignal
  /** Downloads at a time (6). */
  parallel?: number
  /** Milliseconds without a byte until a server counts as stalled (30000). */
  stallTimeoutMs?: number
  /** How often in a row an address may fail without bringing further bytes before it is given up (4). */
  retries?: number
  /** Milliseconds before the first retry, doubled for each further one (500). */
  backOffMs?: number
}

interface Downloaded<T extends DownloadItem> extends BlobInfo {
  label: string
  item: T
}

export interface Downloads<T extends DownloadItem> {
  /** In the items' order. */
  done: Downloaded<T>[]
  /** What every address answered 404 or 410 for. */
  missing: T[]
}

/**
 * Bring every item into the store: in parallel, resumed, retried, verified. What is there already costs no request.
 * Items that no server has are returned in `missing`. Throws `NETWORK` at once; `DOWNLOAD_CORRUPT` when all else has
 * arrived, naming every item concerned; `DISK_FULL`; `INTERRUPTED`. Nothing half-written gets a final name.
 */
export const downloadAll = async <T extends DownloadItem>(
  items: readonly T[],
  options: DownloadOptions,
): Promise<Downloads<T>> => {
  const { blobs, emit, stepId, parallel = 6, stallTimeoutMs = 30_000, retries = 4, backOffMs = 500 } = options
  if (options.signal?.aborted) throw interrupted()
  const wanted = groupSame(items)
  const results = new Map<string, BlobInfo>()
  await runParallel([...wanted], parallel, async ([key, item]) => {
    const present = await findPresent(item, blobs)
    if (present) results.set(key, present)
  })
  const absent = [...wanted].filter(([key]) => !results.has(key))
  if (absent.length === 0) return collect(items, results)
  const progress = trackProgress(emit, stepId, absent)
  const corrupt: PibakeError[] = []
  const stop = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
  await using connections = openConnections({ parallel, stallTimeoutMs })
  try {
    await runParallel(absent, parallel, async ([key, item]) => {
      try {
        const info = await transfer(item, {
          blobs,
          signal,
          retries,
          backOffMs,
          connections,
          onProgress: (doneBytes, announcedBytes) => progress.update(key, doneBytes, announcedBytes),
          onRetry: (reason) => emit({ type: 'debug', message: `asking again for ${item.label}: ${reason}` }),
        })
        if (info) results.set(key, info)
        progress.finish(key, info?.sizeBytes ?? 0)
      } catch (error) {
        if (!(error instanceof PibakeError) || error.code !== 'DOWNLOAD_CORRUPT') {
          stop.abort()
          throw error
        }
        corrupt.push(error)
      }
    })
  } catch (error) {
    throw options.signal?.aborted ? interrupted() : error
  }
  const [first, ...others] = corrupt
  if (first) throw others.length === 0 ? first : corruptDownloads(first, corrupt)
  return collect(items, results)
}

const keyOf = ({ sha256, integrity, urls }: DownloadItem): string => sha256 ?? integrity ?? urls.join(' ')

/** Equal content is downloaded once. */
const groupSame = <T extends DownloadItem>(items: readonly T[]): Map<string, T> => {
  const groups = new Map<string, T>()
  for (const item of items) if (!groups.has(keyOf(item))) groups.set(keyOf(item), item)
  return groups
}

const findPresent = async (item: DownloadItem, blobs: Blobs): Promise<BlobInfo | undefined> => {
  if (item.sha256 !== undefined) {
    const sizeBytes = await blobs.blobSize(item.sha256)
    const right = sizeBytes !== undefined && (item.sizeBytes === undefined || item.sizeBytes === sizeBytes)
    return right ? { sha256: item.sha256, sizeBytes } : undefined
  }
  return item.integrity === undefined
    ? undefined
    : await findByIntegrity(blobs, requireSha512(item.integrity, item.label))
}

const collect = <T extends DownloadItem>(items: readonly T[], results: ReadonlyMap<string, BlobInfo>): Downloads<T> => {
  const downloads: Downloads<T> = { done: [], missing: [] }
  for (const item of items) {
    const info = results.get(keyOf(item))
    if (info) downloads.done.push({ item, label: item.label, ...info })
    else downloads.missing.push(item)
  }
  return downloads
}

const corruptDownloads = (first: PibakeError, all: readonly PibakeError[]): PibakeError =>
  new PibakeError('DOWNLOAD_CORRUPT', `${all.length} downloads are not what was expected.`, {
    hint: first.hint,
    details: all.flatMap(({ details }) => details),
    cause: first,
  })
