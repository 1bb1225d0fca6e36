import { compareEntries, type EntryDifference } from './compare-entries.ts'
import { fileHasher } from './content.ts'
import { type ImagePartition, type ImageTree, readImageTree } from './image-tree.ts'
import type { Volume } from './volume.ts'

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

const partitionFacts = ({ startSector, sectors, type, guid, volume }: ImagePartition): Facts =>
  new Map([
    ['type', `0x${type.toString(16).padStart(2, '0')}`],
    ['guid', guid ?? ''],
    ['start', `sector ${startSector}`],
    ['size', `${sectors} sectors`],
    ['file system', volume?.kind ?? 'unknown'],
    ['label', volume?.label ?? ''],
    ['id', volume?.id ?? ''],
    ['features', volume?.features?.join(' ') ?? ''],
  ])

const compareFacts = (where: string, before: Facts | undefined, after: Facts | undefined): FactDifference[] =>
  [...new Set([...(before?.keys() ?? []), ...(after?.keys() ?? [])])]
    .map((what) => ({ where, what, before: before?.get(what), after: after?.get(what) }))
    .filter((fact) => fact.before !== fact.after)

/** Pairs of partitions by number. */
const pairPartitions = (
  before: ImageTree,
  after: ImageTree,
): { number: number; a: ImagePartition | undefined; b: ImagePartition | undefined }[] => {
  const numbers = new Set([...before.partitions, ...after.partitions].map(({ number }) => number))
  const find = (tree: ImageTree, wanted: number) => tree.partitions.find(({ number }) => number === wanted)
  return [...numbers]
    .sort((x, y) => x - y)
    .map((number) => ({ number, a: find(before, number), b: find(after, number) }))
}

/** Bytes of the files that have to be read: those that are in both volumes and equally long. */
const bytesToRead = (before: Volume, after: Volume): number => {
  let bytes = 0
  for (const { path, kind, sizeBytes } of before.entries.values()) {
    const other = after.entries.get(path)
    if (kind === 'file' && other?.kind === 'file' && other.sizeBytes === sizeBytes) bytes += 2 * sizeBytes
  }
  return bytes
}

export interface CompareOptions {
  signal?: AbortSignal
  /** How much has been read of what has to be, in bytes; hard links make it end early. */
  onProgress?: (done: number, total: number) => void
}

/** Compare two images that are open; see `compareImages`. */
export const compareTrees = async (
  before: ImageTree,
  after: ImageTree,
  { signal, onProgress }: CompareOptions = {},
): Promise<ImageComparison> => {
  const pairs = pairPartitions(before, after)
  const volumes = pairs.flatMap(({ number, a, b }) =>
    a?.volume && b?.volume ? [{ number, pair: [a.volume, b.volume] as const }] : [],
  )
  const total = volumes.reduce((sum, { pair }) => sum + bytesToRead(...pair), 0)
  let done = 0
  const onRead = (bytes: number): void => {
    done += bytes
    onProgress?.(done, total)
  }
  const hash = fileHasher({ onRead, ...(signal ? { signal } : {}) })
  const entries: EntryDifference[] = []
  for (const { number, pair } of volumes) entries.push(...(await compareEntries(number, pair, hash)))
  const facts = [
    ...compareFacts('image', imageFacts(before), imageFacts(after)),
    ...pairs.flatMap(({ number, a, b }) =>
      compareFacts(`partition ${number}`, a && partitionFacts(a), b && partitionFacts(b)),
    ),
  ]
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
  options: CompareOptions = {},
): Promise<ImageComparison> => {
  await using a = await readImageTree(before)
  await using b = await readImageTree(after)
  return await compareTrees(a, b, options)
}
