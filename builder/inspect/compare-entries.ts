import type { Sha256 } from '../core/digest.ts'
import { byCodeUnit } from './entry-name.ts'
import type { Entry, Volume } from './volume.ts'

/** In what an entry differs. `links`: which other names are the same file. */
export type Aspect = 'kind' | 'content' | 'target' | 'device' | 'mode' | 'owner' | 'attributes' | 'links' | 'time'

/** An entry of one of two images; a file whose content had to be read has its digest. */
export type ComparedEntry = Entry & { sha256?: Sha256 }

/** What became of one name. `before` is missing where it was added, `after` where it was removed. */
export interface EntryDifference {
  /** Number of the partition, the same in both images. */
  partition: number
  path: string
  change: 'added' | 'removed' | 'changed'
  /** Of a changed one, in the order of `Aspect`; otherwise empty. */
  aspects: readonly Aspect[]
  before?: ComparedEntry
  after?: ComparedEntry
}

type Hash = (volume: Volume, entry: Entry) => Promise<Sha256>

/** For each number of an inode that has several names, the first of them. */
const firstNames = ({ kind, entries }: Volume): Map<number, string> => {
  const first = new Map<number, string>()
  // A FAT has no links, and all its empty files have the number 0.
  if (kind === 'fat') return first
  for (const { inode, path } of entries.values()) if (!first.has(inode)) first.set(inode, path)
  return first
}

const sameAttributes = (a: Entry, b: Entry): boolean =>
  JSON.stringify(a.attributes ?? {}) === JSON.stringify(b.attributes ?? {})

/** All that differs except content. */
const compareFacts = (a: Entry, b: Entry): Aspect[] => {
  if (a.kind !== b.kind) return ['kind']
  const aspects: Aspect[] = []
  if (a.target !== b.target) aspects.push('target')
  if (a.device !== b.device) aspects.push('device')
  if (a.owner?.mode !== b.owner?.mode) aspects.push('mode')
  if (a.owner?.uid !== b.owner?.uid || a.owner?.gid !== b.owner?.gid) aspects.push('owner')
  if (!sameAttributes(a, b)) aspects.push('attributes')
  return aspects
}

/**
 * Compare the entries of two volumes by path. Content is read only of files that are in both and equally long. Where
 * the entries lie, and how they are spread over blocks, does not count. Sorted by path.
 */
export const compareEntries = async (
  partition: number,
  [before, after]: readonly [Volume, Volume],
  hash: Hash,
): Promise<EntryDifference[]> => {
  const names = [firstNames(before), firstNames(after)] as const
  const differences: EntryDifference[] = []
  // Names of one file need to be read once.
  const digests = new Map<string, readonly [Sha256, Sha256]>()
  const hashBoth = async (a: Entry, b: Entry): Promise<readonly [Sha256, Sha256]> => {
    const key = `${a.inode} ${b.inode}`
    const known = digests.get(key)
    if (known) return known
    const both = [await hash(before, a), await hash(after, b)] as const
    digests.set(key, both)
    return both
  }
  for (const [path, a] of before.entries) {
    const b = after.entries.get(path)
    if (!b) {
      differences.push({ partition, path, change: 'removed', aspects: [], before: a })
      continue
    }
    const aspects = compareFacts(a, b)
    let states: { before: ComparedEntry; after: ComparedEntry } = { before: a, after: b }
    if (a.kind === 'file' && b.kind === 'file') {
      if (a.sizeBytes !== b.sizeBytes) aspects.unshift('content')
      else if (a.sizeBytes > 0) {
        const [left, right] = await hashBoth(a, b)
        if (left !== right) aspects.unshift('content')
        states = { before: { ...a, sha256: left }, after: { ...b, sha256: right } }
      }
    }
    if (names[0].get(a.inode) !== names[1].get(b.inode)) aspects.push('links')
    if (a.mtimeSeconds !== b.mtimeSeconds && !aspects.includes('kind')) aspects.push('time')
    if (aspects.length > 0) differences.push({ partition, path, change: 'changed', aspects, ...states })
  }
  for (const [path, b] of after.entries) {
    if (!before.entries.has(path)) differences.push({ partition, path, change: 'added', aspects: [], after: b })
  }
  return differences.sort((x, y) => byCodeUnit(x.path, y.path))
}
