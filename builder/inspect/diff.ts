import { compareSummaries, type ImageChanges } from './changes.ts'
import { type CompareOptions, compareTrees, type ImageComparison } from './compare.ts'
import type { EntryDifference } from './compare-entries.ts'
import { readDpkg } from './dpkg.ts'
import { type ImageTree, readImageTree } from './image-tree.ts'
import { rootOf, summariseImage } from './summary.ts'
import { findOwners } from './usage.ts'

/** A difference with the package that brought the file, where one did. */
export type OwnedDifference = EntryDifference & { package?: string }

/** All that differs between two images. */
export interface ImageDiff extends ImageComparison, ImageChanges {
  entries: OwnedDifference[]
}

/** The package of each path of the root file system, and the partition that this is. */
const ownersIn = (tree: ImageTree): { partition: number | undefined; owners: ReadonlyMap<string, string> } => {
  const volume = rootOf(tree)
  const partition = tree.partitions.find((candidate) => candidate.volume === volume)?.number
  return { partition, owners: volume ? findOwners(volume, readDpkg(volume)) : new Map() }
}

/**
 * Compare two images: what `compareImages` finds, each file with its package, and the packages and stages with other
 * versions. Throws IMAGE_INVALID.
 */
export const diffImages = async (before: string, after: string, options: CompareOptions = {}): Promise<ImageDiff> => {
  await using a = await readImageTree(before)
  await using b = await readImageTree(after)
  const comparison = await compareTrees(a, b, options)
  const [left, right] = [ownersIn(a), ownersIn(b)]
  const ownerOf = ({ partition, path }: EntryDifference): string | undefined =>
    (partition === right.partition ? right.owners.get(path) : undefined) ??
    (partition === left.partition ? left.owners.get(path) : undefined)
  return {
    ...comparison,
    ...compareSummaries(summariseImage(a), summariseImage(b)),
    entries: comparison.entries.map((entry) => {
      const owner = ownerOf(entry)
      return owner === undefined ? entry : { ...entry, package: owner }
    }),
  }
}
