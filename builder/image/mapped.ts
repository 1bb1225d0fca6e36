import { gptEndBytes } from './encode-gpt.ts'
import { readExt4, usedBlocks } from './ext4.ts'
import { readFat, usedFatBytes } from './fat.ts'
import { fatTypes, linuxType, openImage, readPartitionTable, sectorBytes } from './table.ts'

/** The block of a bmap file, whatever the file systems use. */
export const bmapBlockBytes = 4096

/** Blocks `first` to `last`, both included, of `bmapBlockBytes` each. */
export interface BlockRange {
  first: number
  last: number
}

/** Gaps below this many blocks are mapped as well: many small ranges make a card slower than the gaps they save. */
const gapBlocks = 64

/** Runs of set bytes as ranges, joined over small gaps and cut into pieces of at most `pieceBlocks`. */
export const collectRanges = (mapped: Uint8Array, pieceBlocks: number): BlockRange[] => {
  const ranges: BlockRange[] = []
  for (let first = mapped.indexOf(1); first !== -1; ) {
    const end = mapped.indexOf(0, first)
    const last = (end === -1 ? mapped.length : end) - 1
    const previous = ranges.at(-1)
    if (previous && first - previous.last <= gapBlocks) previous.last = last
    else ranges.push({ first, last })
    first = end === -1 ? -1 : mapped.indexOf(1, end)
  }
  return ranges.flatMap(({ first, last }) => {
    const pieces = Math.ceil((last - first + 1) / pieceBlocks)
    return Array.from({ length: pieces }, (_, index) => ({
      first: first + index * pieceBlocks,
      last: Math.min(first + (index + 1) * pieceBlocks - 1, last),
    }))
  })
}

/**
 * One byte per `bmapBlockBytes` of an image: 1 where a card must hold the image's bytes for its file systems to be whole.
 * Decided by the partition table, the FAT and the ext4 block bitmaps; a partition of another kind counts whole.
 */
export const mapImage = async (path: string): Promise<Uint8Array> => {
  const { partitions } = await readPartitionTable(path)
  await using file = await openImage(path)
  const { size: sizeBytes } = await file.stat()
  const mapped = new Uint8Array(Math.ceil(sizeBytes / bmapBlockBytes))
  const mark = (startBytes: number, endBytes: number): void => {
    mapped.fill(1, Math.floor(startBytes / bmapBlockBytes), Math.ceil(endBytes / bmapBlockBytes))
  }
  // The gap before the first partition may hold boot code; a Pi's is empty, and dirty cards carry old tables there.
  mark(0, Math.min(1 << 20, sizeBytes))
  // A GPT stands a second time at the end of the disk.
  if (partitions.some(({ guid }) => guid !== undefined)) mark(sizeBytes - gptEndBytes, sizeBytes)
  for (const { type, startSector, sectors } of partitions) {
    const offset = startSector * sectorBytes
    const fat = fatTypes.has(type) ? await readFat(file, offset) : undefined
    const ext4 = type === linuxType ? await readExt4(file, offset) : undefined
    if (fat) mark(offset, offset + (await usedFatBytes(file, offset, fat)))
    else if (ext4) {
      const used = await usedBlocks(file, offset, ext4)
      for (let block = used.indexOf(1); block !== -1; ) {
        const end = used.indexOf(0, block)
        mark(offset + block * ext4.blockBytes, offset + (end === -1 ? used.length : end) * ext4.blockBytes)
        block = end === -1 ? -1 : used.indexOf(1, end)
      }
    } else mark(offset, offset + sectors * sectorBytes)
  }
  return mapped
}
