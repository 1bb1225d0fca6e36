import type { Dirent } from 'node:fs'
import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isSha256, type Sha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { Blobs } from './blobs.ts'
import { derivedFolder, readDerivedRecord, verifyDerived } from './derived.ts'
import { interrupted } from './failure.ts'
import { isPartInUse } from './incoming.ts'
import { checkContent, setAside } from './verify.ts'

export interface Amount {
  files: number
  sizeBytes: number
}

const list = async (folder: string): Promise<Dirent[]> => {
  try {
    return (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return []
    throw error
  }
}

const measure = async (path: string): Promise<Amount> => {
  const status = await lstat(path)
  if (!status.isDirectory()) return { files: 1, sizeBytes: status.size }
  const amount = { files: 0, sizeBytes: 0 }
  for (const { name } of await list(path)) add(amount, await measure(join(path, name)))
  return amount
}

const add = (sum: Amount, part: Amount): void => {
  sum.files += part.files
  sum.sizeBytes += part.sizeBytes
}

/** What each folder of the cache holds (`blobs`, `derived`, `incoming`, `corrupt`, `layers` …), in apparent bytes. */
export const measureCache = async (cacheFolder: string): Promise<Record<string, Amount>> => {
  const amounts: Record<string, Amount> = {}
  for (const entry of await list(cacheFolder)) {
    if (entry.isDirectory()) amounts[entry.name] = await measure(join(cacheFolder, entry.name))
  }
  return amounts
}

/** Digests of all blobs in the store. */
const listBlobs = async (blobs: Blobs): Promise<Sha256[]> => {
  const found: Sha256[] = []
  for (const { name } of await list(join(blobs.folder, 'blobs'))) {
    for (const entry of await list(join(blobs.folder, 'blobs', name))) if (isSha256(entry.name)) found.push(entry.name)
  }
  return found
}

export interface CacheVerdict {
  checked: Amount
  /** What was damaged and has been moved to `corrupt/`. */
  corrupt: { label: string; sha256: Sha256 }[]
}

/**
 * Read everything in the store. Damaged items are moved aside and returned, named by `labels` (of the locks) where they
 * are known there.
 */
export const verifyCache = async (
  blobs: Blobs,
  options: { labels?: ReadonlyMap<Sha256, string>; emit: Emit; stepId: string; signal?: AbortSignal },
): Promise<CacheVerdict> => {
  const { labels, emit, stepId, signal } = options
  const verdict: CacheVerdict = { checked: { files: 0, sizeBytes: 0 }, corrupt: [] }
  const digests = await listBlobs(blobs)
  const keys = (await list(derivedFolder(blobs.folder))).map(({ name }) => name).filter(isSha256)
  const total = digests.length + keys.length
  const progress = (note: string): void =>
    emit({ type: 'step-progress', id: stepId, done: verdict.checked.files, total, unit: 'items', note })
  for (const sha256 of digests) {
    if (signal?.aborted) throw interrupted()
    const label = labels?.get(sha256) ?? sha256
    const sizeBytes = (await blobs.blobSize(sha256)) ?? 0
    const path = blobs.blobPath(sha256)
    if ((await checkContent(path, { sha256, sizeBytes }, signal)) === 'corrupt') {
      await setAside(blobs.folder, path)
      verdict.corrupt.push({ label, sha256 })
    }
    add(verdict.checked, { files: 1, sizeBytes })
    progress(label)
  }
  for (const key of keys) {
    if (signal?.aborted) throw interrupted()
    const record = await readDerivedRecord(blobs.folder, key)
    try {
      await verifyDerived(blobs.folder, key, signal)
    } catch (error) {
      if (!(error instanceof PibakeError) || error.code !== 'CACHE_CORRUPT') throw error
      if (record) verdict.corrupt.push({ label: record.label, sha256: record.sha256 })
    }
    add(verdict.checked, { files: 1, sizeBytes: record?.sizeBytes ?? 0 })
    progress(record?.label ?? key)
  }
  return verdict
}

/**
 * Remove every blob and derived file that `keep` does not name, what was set aside as corrupt, and half-downloaded files
 * that no running pibake writes. Returns what was freed; with `dryRun` what would be.
 */
export const pruneCache = async (
  blobs: Blobs,
  keep: { blobs: ReadonlySet<Sha256>; derived: ReadonlySet<Sha256> },
  options: { dryRun?: boolean } = {},
): Promise<Amount> => {
  const paths: string[] = []
  for (const sha256 of await listBlobs(blobs)) if (!keep.blobs.has(sha256)) paths.push(blobs.blobPath(sha256))
  for (const { name } of await list(derivedFolder(blobs.folder))) {
    if (!isSha256(name) || !keep.derived.has(name)) paths.push(join(derivedFolder(blobs.folder), name))
  }
  for (const { name } of await list(join(blobs.folder, 'incoming'))) {
    if (!isPartInUse(name)) paths.push(join(blobs.folder, 'incoming', name))
  }
  for (const { name } of await list(join(blobs.folder, 'corrupt'))) paths.push(join(blobs.folder, 'corrupt', name))
  const freed: Amount = { files: 0, sizeBytes: 0 }
  for (const path of paths) {
    add(freed, await measure(path))
    if (!options.dryRun) await rm(path, { recursive: true, force: true })
  }
  return freed
}
