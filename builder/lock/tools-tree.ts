import { rm } from 'node:fs/promises'
import type { Blobs } from '../cache/blobs.ts'
import type { Emit } from '../core/event.ts'
import type { Tools } from '../host/sandbox.ts'
import { inspectTree, treeKey, unpackTree } from '../host/tree.ts'
import type { ToolsLock } from './schema.ts'

/**
 * The tools tree of a lock: returned as it is when `destination` holds it, unchanged since it was unpacked; otherwise
 * unpacked from packages of the cache that are verified before. `tools` is a tree that does the unpacking; without it
 * the tree bootstraps itself. Throws `MISSING_OFFLINE` and `CACHE_CORRUPT`, naming every package concerned.
 */
export const openToolsTree = async (options: {
  lock: ToolsLock
  destination: string
  blobs: Blobs
  tools?: Tools
  emit: Emit
  signal?: AbortSignal
}): Promise<Tools> => {
  const { lock, destination, blobs, tools, emit, signal } = options
  const shared = { ...(tools ? { tools } : {}), ...(signal ? { signal } : {}) }
  const state = await inspectTree(destination, treeKey(lock.debs), shared)
  if (state === 'current') return { root: destination }
  if (state === 'damaged') {
    const message = `The tools in \`${destination}\` are not what was unpacked; they are unpacked anew.`
    emit({ type: 'notice', level: 'warn', message })
    await rm(destination, { recursive: true })
  }
  await blobs.verifyBlobs(
    lock.debs.map(({ sha256, sizeBytes, name, version }) => ({ sha256, sizeBytes, label: `${name} ${version}` })),
    { emit, ...(signal ? { signal } : {}) },
  )
  const debs = lock.debs.map(({ name, version, sha256 }) => ({ name, version, sha256, path: blobs.blobPath(sha256) }))
  return unpackTree({ ...shared, debs, destination, first: new Set(lock.first), emit })
}
