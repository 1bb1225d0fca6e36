import { setTimeout as sleep } from 'node:timers/promises'
import type { BlobInfo, Blobs, NewBlob } from '../cache/blobs.ts'
import { noteIntegrity, requireSha512 } from '../cache/integrity.ts'
import { hashBytes, type Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import type { Connections } from './connections.ts'
import { type Attempt, fetchOnce } from './http.ts'

/** A file to download. Without sha256 and integrity the caller must verify it by other means (a signature). */
export interface DownloadItem {
  /** What the user knows it as. */
  label: string
  /** Addresses of the same content, tried in order. */
  urls: readonly string[]
  sizeBytes?: number | undefined
  sha256?: Sha256 | undefined
  /** npm's integrity string; a `sha512-…` is required in it. */
  integrity?: string | undefined
  /** What to do when every address has other content; by default to use another mirror. */
  corruptHint?: string
}

export interface TransferOptions {
  blobs: Blobs
  connections: Connections
  signal: AbortSignal
  /** How often in a row an address may fail without bringing further bytes. */
  retries: number
  /** Milliseconds before the first retry; doubled for each further one up to ten seconds, with jitter. */
  backOffMs: number
  onProgress: (doneBytes: number, announcedBytes: number | undefined) => void
  /** Called before an address is asked again. */
  onRetry: (reason: string) => void
}

/** How often an address may send what was not promised. */
const wrongLimit = 2
const longestBackOffMs = 10_000

/** Names what has arrived of an item in `incoming/`, across runs. */
const resumeKeyOf = ({ sha256, integrity, urls }: DownloadItem): string =>
  sha256 ?? hashBytes(integrity ?? urls[0] ?? '')

/**
 * Download one item into the store. Undefined when every address says 404 or 410. Throws `NETWORK`, `DOWNLOAD_CORRUPT`
 * or `DISK_FULL`; what has arrived is kept for the next run when a digest can vouch for it.
 */
export const transfer = async (item: DownloadItem, options: TransferOptions): Promise<BlobInfo | undefined> => {
  const pinned = item.sha256 !== undefined || item.integrity !== undefined
  const key = resumeKeyOf(item)
  await using blob = await options.blobs.beginBlob({ label: item.label, ...(pinned ? { resumeKey: key } : {}) })
  if (pinned) blob.keep()
  if (item.sizeBytes !== undefined && blob.sizeBytes > item.sizeBytes) await blob.restart()
  const problems: { url: string; attempt: Exclude<Attempt, { kind: 'whole' }> }[] = []
  const state = { adopted: blob.sizeBytes > 0 }
  for (const url of item.urls) {
    if (!pinned) await blob.restart()
    const attempt = await transferFrom(url, item, blob, state, options)
    if (attempt.kind === 'whole') return await store(item, blob, options.blobs)
    problems.push({ url, attempt })
  }
  if (problems.every(({ attempt }) => attempt.kind === 'gone')) return undefined
  throw transferError(item, problems)
}

/** Ask one address until the item is whole and right, or the address has used up its chances. */
const transferFrom = async (
  url: string,
  item: DownloadItem,
  blob: NewBlob,
  state: { adopted: boolean },
  options: TransferOptions,
): Promise<Attempt> => {
  const { sizeBytes } = item
  const pinned = item.sha256 !== undefined || item.integrity !== undefined
  let validator: string | undefined
  let failures = 0
  let wrongs = 0
  let furthest = blob.sizeBytes
  for (;;) {
    const complete = sizeBytes !== undefined && blob.sizeBytes === sizeBytes
    const attempt: Attempt = complete
      ? { kind: 'whole', validator }
      : await fetchOnce(url, {
          ...options,
          blob,
          sizeBytes,
          validator,
          onProgress: (announced) => options.onProgress(blob.sizeBytes, announced),
        })
    const outcome: Attempt = attempt.kind === 'whole' ? judgeContent(item, blob, attempt) : attempt
    if (outcome.kind === 'whole' || outcome.kind === 'gone' || outcome.kind === 'refused') return outcome
    validator = outcome.validator ?? validator
    if (outcome.kind === 'wrong') {
      await blob.restart()
      validator = undefined
      // What an earlier run left may be at fault; that is not held against the server.
      if (!state.adopted) wrongs += 1
      state.adopted = false
      if (wrongs >= wrongLimit) return outcome
    } else {
      failures = blob.sizeBytes > furthest ? 1 : failures + 1
      furthest = Math.max(furthest, blob.sizeBytes)
      if (failures > options.retries) return outcome
      if (!pinned && validator === undefined) await blob.restart()
    }
    options.onProgress(blob.sizeBytes, undefined)
    options.onRetry(outcome.reason)
    const delayMs = Math.min(options.backOffMs * 2 ** Math.max(0, failures - 1), longestBackOffMs)
    await sleep(delayMs * (0.5 + Math.random() / 2), undefined, { signal: options.signal })
  }
}

const judgeContent = (item: DownloadItem, blob: NewBlob, attempt: Attempt): Attempt => {
  const { sha256, sha512 } = blob.digests()
  if (item.sha256 !== undefined && sha256 !== item.sha256) {
    return { kind: 'wrong', reason: `what came has the sha256 ${sha256} instead of ${item.sha256}` }
  }
  if (item.integrity !== undefined && sha512 !== requireSha512(item.integrity, item.label)) {
    return { kind: 'wrong', reason: `what came has the integrity sha512-${sha512} instead of ${item.integrity}` }
  }
  return attempt
}

const store = async (item: DownloadItem, blob: NewBlob, blobs: Blobs): Promise<BlobInfo> => {
  const info = await blob.commit(item.sha256)
  if (item.integrity !== undefined) await noteIntegrity(blobs, requireSha512(item.integrity, item.label), info.sha256)
  return info
}

const transferError = (
  item: DownloadItem,
  problems: readonly { url: string; attempt: Exclude<Attempt, { kind: 'whole' }> }[],
): PibakeError => {
  const lines = problems.map(({ url, attempt }) => ({
    path: URL.canParse(url) ? new URL(url).pathname : url,
    reason: attempt.kind === 'gone' ? 'the server does not have it' : attempt.reason,
    kind: attempt.kind,
  }))
  const worst = lines.findLast(({ kind }) => kind !== 'gone')
  const corrupt = worst?.kind === 'wrong'
  return new PibakeError(
    corrupt ? 'DOWNLOAD_CORRUPT' : 'NETWORK',
    `\`${item.label}\` (${worst?.path}) could not be downloaded: ${worst?.reason}.`,
    {
      hint: corrupt
        ? (item.corruptHint ??
          'The server or a proxy before it is at fault: try again later, or use another mirror (`--mirror`).')
        : 'Check the network, then run the same command again: what has arrived is kept.',
      details: lines.map(({ path, reason }) => `${item.label} (${path}): ${reason}`),
    },
  )
}
