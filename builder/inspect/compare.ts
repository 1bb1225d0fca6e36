import { compareEntries, type EntryDifference } from './compare-entries.ts'
import { fileHasher, type HashOptions } from './content.ts'
import { type ImagePartition, type ImageTree, readImageTree } from './image-tree.ts'

/** A fact about an image as a whole, or about a partition or file system of it, that is not the same. */
export interface FactDifference {
  /** `image` or `partition N`. */
  where: string
  what: string
  /** As text; undefined where there is no such partition. */
  before: string | undefined
  after: string | undefined
}

export interface ImageComparison {
  /** Nothing differs in table, file systems and files. The bytes may: free blocks and places on the disk do not count. */
  isSame: boolean
  facts: FactDifference[]
  entries: EntryDifference[]
}

type Facts = ReadonlyMap<string, string>

const imageFacts = ({ sizeBytes, diskId }: ImageTree): Facts =>
  new Map([
    ['size', `${sizeBytes} bytes`],
    ['disk id', diskId],
  ])

const partitionFacts = ({ startSector, sectors, type, volume }: ImagePartition): Facts =>
  new Map([
    ['type', `0x${type.toString(16).padStart(2, '0')}`],
    ['start', `sector ${startSector}`],
    ['size', `${sectors} sectors`],
    ['file system', volume?.kind ?? 'unknown'],
    ['label', volume?.label ?? ''],
    ['id', volume?.id ?? ''],
    ['features', volume?.features.join(' ') ?? ''],
  ])

const compareFacts = (where: string, before: Facts | undefined, after: Facts | undefined): FactDifference[] =>
  [...new Set([...(before?.keys() ?? []), ...(after?.keys() ?? [])])]
    .map((what) => ({ where, what, before: before?.get(what), after: after?.get(what) }))
    .filter((fact) => fact.before !== fact.after)

/** Pairs of partitions by number. */
const pairs = (
  before: ImageTree,
  after: ImageTree,
): { number: number; a: ImagePartition | undefined; b: ImagePartition | undefined }[] => {
  const numbers = new Set([...before.partitions, ...after.partitions].map(({ number }) => number))
  const find = (tree: ImageTree, wanted: number) => tree.partitions.find(({ number }) => number === wanted)
  return [...numbers]
    .sort((x, y) => x - y)
    .map((number) => ({ number, a: find(before, number), b: find(after, number) }))
}

/** Compare two images that are open; see `compareImages`. */
const compareTrees = async (
  before: ImageTree,
  after: ImageTree,
  options: HashOptions = {},
): Promise<ImageComparison> => {
  const hash = fileHasher(options)
  const facts = compareFacts('image', imageFacts(before), imageFacts(after))
  const entries: EntryDifference[] = []
  for (const { number, a, b } of pairs(before, after)) {
    facts.push(...compareFacts(`partition ${number}`, a && partitionFacts(a), b && partitionFacts(b)))
    if (a?.volume && b?.volume) entries.push(...(await compareEntries(number, [a.volume, b.volume], hash)))
  }
  return { isSame: facts.length === 0 && entries.length === 0, facts, entries }
}

/**
 * Compare two images without mounting them, down to the file: partition table, file systems, and each entry's kind,
 * content, link target, device, mode, owner, extended attributes, hard links and time. Partitions are paired by number.
 * Throws IMAGE_INVALID.
 */
export const compareImages = async (
  before: string,
  after: string,
  options: HashOptions = {},
): Promise<ImageComparison> => {
  await using a = await readImageTree(before)
  await using b = await readImageTree(after)
  return await compareTrees(a, b, options)
}
