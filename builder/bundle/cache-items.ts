import type { Blobs } from '../cache/blobs.ts'
import type { Sha256 } from '../core/digest.ts'
import type { AnyLock } from '../lock/all.ts'
import { allDebs } from '../lock/debs.ts'
import { type BundleItem, itemPath } from './bundle.ts'
import type { BundleSource } from './bundle-write.ts'

/** Something of the cache that a lock names. */
export interface CacheItem {
  sha256: Sha256
  sizeBytes: number
  /** What the user knows it as. */
  label: string
}

/** All that locks name, each once: packages, tarballs, artifacts, and the images that bakes start from. */
export const itemsOf = (locks: readonly AnyLock[]): CacheItem[] => {
  const items = locks.flatMap((found): CacheItem[] => {
    const debs = found.kind === 'tools' ? found.lock.debs : allDebs(found.lock)
    const packages = debs.map(({ name, version, ...deb }) => ({ ...deb, label: `${name} ${version}` }))
    if (found.kind === 'tools') return packages
    const { npm, artifacts, base } = found.lock
    return [
      ...packages,
      ...Object.values(npm)
        .flat()
        .map(({ name, version, ...item }) => ({ ...item, label: `${name}@${version}` })),
      ...Object.values(artifacts)
        .flat()
        .map(({ name, ...item }) => ({ ...item, label: name })),
      ...(base?.url === undefined ? [] : [{ ...base.archive, label: base.name }]),
    ]
  })
  const unique = new Map(items.map(({ sha256, sizeBytes, label }) => [sha256, { sha256, sizeBytes, label }]))
  return [...unique.values()].sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1))
}

/** Those that the cache has, and how many it lacks. */
export const presentItems = async (
  items: readonly CacheItem[],
  blobs: Blobs,
): Promise<{ present: CacheItem[]; missing: CacheItem[] }> => {
  const isThere = await Promise.all(items.map(({ sha256, sizeBytes }) => blobs.hasBlob(sha256, sizeBytes)))
  return { present: items.filter((_, index) => isThere[index]), missing: items.filter((_, index) => !isThere[index]) }
}

/** Items as a manifest lists them. */
export const listItems = (items: readonly CacheItem[]): BundleItem[] =>
  items.map(({ sha256, sizeBytes, label }) => ({
    ...{ path: itemPath(sha256), mode: '0644', sizeBytes, sha256, label: label.slice(0, 300) },
  }))

/** Items as a bundle takes them from the cache; they are to be verified before. */
export const sourcesOf = (items: readonly CacheItem[], blobs: Blobs): BundleSource[] =>
  items.map(({ sha256, sizeBytes }) => ({
    ...{ path: itemPath(sha256), sizeBytes, isExecutable: false },
    source: blobs.blobPath(sha256),
  }))
