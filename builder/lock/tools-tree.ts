import { stat } from 'node:fs/promises'
import { hashFile, type Sha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import { formatBytes } from '../core/size.ts'
import type { Tools } from '../host/sandbox.ts'
import { isTreeCurrent, treeKey, unpackTree } from '../host/tree.ts'
import type { LockedDeb, ToolsLock } from './schema.ts'

/**
 * The tools tree of a lock: returned as it is when `destination` holds it already, unpacked from the cache otherwise.
 * `tools` is a tree that does the unpacking; without it the tree bootstraps itself. Throws
 * `MISSING_OFFLINE` with every package that the cache lacks, `CACHE_CORRUPT` with every damaged one.
 */
export const openToolsTree = async (options: {
  lock: ToolsLock
  destination: string
  /** Where the cache keeps a package. */
  blobPath: (sha256: Sha256) => string
  tools?: Tools
  emit: Emit
  signal?: AbortSignal
}): Promise<Tools> => {
  const { lock, destination, blobPath, ...rest } = options
  if (await isTreeCurrent(destination, treeKey(lock.debs))) return { root: destination }
  await requireDebs(lock.debs, options)
  const debs = lock.debs.map(({ name, version, sha256 }) => ({ name, version, sha256, path: blobPath(sha256) }))
  return unpackTree({ ...rest, debs, destination, first: new Set(lock.first) })
}

const requireDebs = async (
  debs: readonly LockedDeb[],
  { blobPath, signal }: { blobPath: (sha256: Sha256) => string; signal?: AbortSignal },
): Promise<void> => {
  const missing: LockedDeb[] = []
  for (const deb of debs) if (!(await isThere(blobPath(deb.sha256)))) missing.push(deb)
  if (missing.length > 0) {
    throw new PibakeError('MISSING_OFFLINE', `The cache lacks ${missing.length} packages of the tools tree.`, {
      hint: 'Run `pibake fetch` with a network, or bring a cache that has them.',
      details: missing.map(({ name, version, sizeBytes }) => `${name} ${version} (${formatBytes(sizeBytes)})`),
    })
  }
  const damaged: LockedDeb[] = []
  for (const deb of debs) {
    const found = await hashFile(blobPath(deb.sha256), signal ? { signal } : {})
    if (found !== deb.sha256) damaged.push(deb)
  }
  if (damaged.length > 0) {
    throw new PibakeError('CACHE_CORRUPT', `${damaged.length} packages of the tools tree are damaged in the cache.`, {
      hint: 'Run `pibake cache verify`, which moves damaged files aside, then `pibake fetch`.',
      details: damaged.map(({ name, version, sha256 }) => `${name} ${version}: ${blobPath(sha256)}`),
    })
  }
}

const isThere = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false
    throw error
  }
}
