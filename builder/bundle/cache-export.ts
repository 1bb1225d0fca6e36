import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { projectBlobs } from '../cache/project-blobs.ts'
import { checkContent } from '../cache/verify.ts'
import { type Emit, runStep } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import { formatBytes } from '../core/size.ts'
import { explainWrite } from '../core/write-failure.ts'
import type { AnyLock } from '../lock/all.ts'
import { itemPath } from './bundle.ts'
import { writeBundle } from './bundle-write.ts'
import { type CacheManifest, cacheBundle } from './cache-bundle.ts'
import { type CacheItem, itemsOf, listItems, presentItems, sourcesOf } from './cache-items.ts'

/** A part of the cache that was written elsewhere. */
export interface ExportedCache {
  path: string
  /** All that is there now. */
  items: number
  sizeBytes: number
  /** Items that were there already. */
  kept: number
  /** What the locks name and the cache does not have. */
  missing: string[]
}

interface ExportOptions {
  project: Project
  /** Whose items are wanted. */
  locks: readonly AnyLock[]
  pibake: string
  /** A file that ends in `.asar`, or a folder, new or with an earlier export in it. */
  destination: string
  emit: Emit
  signal: AbortSignal
}

const stepId = 'cache-export'

const totalOf = (items: readonly CacheItem[]): number => items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)

const exportFile = async (items: readonly CacheItem[], options: ExportOptions): Promise<number> => {
  const { project, pibake, destination, emit, signal } = options
  const blobs = projectBlobs(project)
  await blobs.verifyBlobs(items, { signal, emit, stepId })
  const manifest: CacheManifest = { format: cacheBundle.format, pibake, files: listItems(items) }
  const sources = sourcesOf(items, blobs)
  return (await writeBundle({ destination, kind: cacheBundle, manifest, sources, signal })).sizeBytes
}

/** Copy one item unless it is there whole; whether it was. */
const exportItem = async (item: CacheItem, from: string, to: string, signal: AbortSignal): Promise<boolean> => {
  if ((await checkContent(to, item, signal)) === 'good') return true
  const partial = `${to}.${randomUUID().slice(0, 8)}.partial`
  try {
    await mkdir(dirname(to), { recursive: true })
    await copyFile(from, partial)
    await using file = await open(partial, 'r+')
    await file.sync()
    await rename(partial, to)
    return false
  } finally {
    await rm(partial, { force: true })
  }
}

const exportFolder = async (items: readonly CacheItem[], options: ExportOptions): Promise<number> => {
  const { project, destination, emit, signal } = options
  const blobs = projectBlobs(project)
  const total = totalOf(items)
  let done = 0
  let kept = 0
  for (const item of items) {
    signal.throwIfAborted()
    const { sha256, sizeBytes, label } = item
    const source = await blobs.verifyBlob(sha256, sizeBytes, label, signal)
    if (await exportItem(item, source, join(destination, itemPath(sha256)), signal)) kept += 1
    done += sizeBytes
    emit({ type: 'step-progress', id: stepId, done, total, unit: 'bytes', note: label })
  }
  return kept
}

/**
 * Write what the locks name, as far as the cache has it, to a file or into a folder, every item verified before and
 * after. A file appears whole or not at all; a folder can be added to again and again. Throws `DISK_FULL`, `CACHE_CORRUPT`,
 * and `USAGE` for a place that cannot be written.
 */
export const exportCache = async (options: ExportOptions): Promise<ExportedCache> => {
  const { project, locks, destination, emit } = options
  const { present, missing } = await presentItems(itemsOf(locks), projectBlobs(project))
  const title = `Write ${present.length} items of the cache (${formatBytes(totalOf(present))})`
  try {
    return await runStep(emit, { id: stepId, title }, async () => {
      const whole = { path: destination, items: present.length, missing: missing.map(({ label }) => label) }
      if (destination.endsWith('.asar')) return { ...whole, sizeBytes: await exportFile(present, options), kept: 0 }
      return { ...whole, sizeBytes: totalOf(present), kept: await exportFolder(present, options) }
    })
  } catch (error) {
    throw explainWrite(error, destination)
  }
}
