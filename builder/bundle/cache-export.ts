import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, open, rename, rm, stat, statfs } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { openBlobs } from '../cache/blobs.ts'
import { checkContent } from '../cache/verify.ts'
import { PibakeError } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import { formatBytes } from '../core/size.ts'
import { explainWrite } from '../core/write-failure.ts'
import type { AnyLock } from '../lock/all.ts'
import { assertRoom, readWhole, writeBundle } from './bundle-write.ts'
import { blobPathIn, type CacheManifest, cacheBundle } from './cache-bundle.ts'
import { type CacheItem, itemsOf, presentItems } from './cache-items.ts'

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

/** Largest file of FAT32, as most sticks have it, and its magic number (statfs(2)). */
const fatFileBytes = 0xffff_ffff
const fatType = 0x4d44

const assertFileFits = async (folder: string, sizeBytes: number): Promise<void> => {
  await assertRoom(folder, sizeBytes)
  if (sizeBytes <= fatFileBytes || (await statfs(folder)).type !== fatType) return
  throw new PibakeError('USAGE', `\`${folder}\` takes no file of ${formatBytes(sizeBytes)}: it is FAT32.`, {
    hint: 'Export into a folder there in place of a file.',
  })
}

const totalOf = (items: readonly CacheItem[]): number => items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)

const exportFile = async (items: readonly CacheItem[], options: ExportOptions): Promise<void> => {
  const { project, pibake, destination, emit, signal } = options
  const blobs = openBlobs(project.cache)
  const folder = dirname(destination)
  await mkdir(folder, { recursive: true })
  await assertFileFits(folder, totalOf(items) + 2 * 1024 * items.length + (1 << 20))
  await blobs.verifyBlobs(items, { signal, emit, stepId })
  const files: CacheManifest['files'] = items.map(({ sha256, sizeBytes, label }) => ({
    ...{ path: blobPathIn(sha256), mode: '0644', sizeBytes, sha256, label: label.slice(0, 300) },
  }))
  const manifest: CacheManifest = { format: cacheBundle.format, pibake, files }
  const sources = items.map(({ sha256, sizeBytes }) => ({
    ...{ path: blobPathIn(sha256), sizeBytes, isExecutable: false },
    source: blobs.blobPath(sha256),
  }))
  const partial = join(folder, `.${basename(destination)}.${randomUUID().slice(0, 8)}.partial`)
  try {
    await writeBundle({ destination: partial, manifest: `${JSON.stringify(manifest)}\n`, sources, signal })
    await readWhole(partial, cacheBundle)
    await using file = await open(partial, 'r+')
    await file.sync()
    await rename(partial, destination)
  } finally {
    await rm(partial, { force: true })
  }
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
  const blobs = openBlobs(project.cache)
  const total = totalOf(items)
  let done = 0
  let kept = 0
  for (const item of items) {
    signal.throwIfAborted()
    const { sha256, sizeBytes, label } = item
    const source = await blobs.verifyBlob(sha256, sizeBytes, label, signal)
    if (await exportItem(item, source, join(destination, blobPathIn(sha256)), signal)) kept += 1
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
  const { present, missing } = await presentItems(itemsOf(locks), openBlobs(project.cache))
  const title = `Write ${present.length} items of the cache (${formatBytes(totalOf(present))})`
  try {
    const kept = await runStep(emit, { id: stepId, title }, async () => {
      if (!destination.endsWith('.asar')) return exportFolder(present, options)
      await exportFile(present, options)
      return 0
    })
    const isFile = (await stat(destination)).isFile()
    const sizeBytes = isFile ? (await stat(destination)).size : totalOf(present)
    return { path: destination, items: present.length, sizeBytes, kept, missing: missing.map(({ label }) => label) }
  } catch (error) {
    throw explainWrite(error, destination)
  }
}
