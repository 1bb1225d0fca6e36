import type { Sha256 } from '../core/digest.ts'
import type { Emit } from '../core/event.ts'
import type { Tools } from '../host/sandbox.ts'
import { isTreeCurrent, treeKey, unpackTree } from '../host/tree.ts'
import type { ToolsLock } from './schema.ts'

/**
 * The tools tree of a lock: returned as it is when `destination` holds it already, unpacked from the cache otherwise.
 * `tools` is a tree that does the unpacking; without it the tree bootstraps itself.
 */
export const openToolsTree = async (options: {
  lock: ToolsLock
  destination: string
  /** Where the cache keeps a verified package. */
  blobPath: (sha256: Sha256) => string
  tools?: Tools
  emit: Emit
  signal?: AbortSignal
}): Promise<Tools> => {
  const { lock, destination, blobPath, ...rest } = options
  if (await isTreeCurrent(destination, treeKey(lock.debs))) return { root: destination }
  const debs = lock.debs.map(({ name, version, sha256 }) => ({ name, version, sha256, path: blobPath(sha256) }))
  return unpackTree({ ...rest, debs, destination, first: new Set(lock.first) })
}
