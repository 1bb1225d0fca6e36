import { type FileHandle, open } from 'node:fs/promises'
import { errnoOf, PibakeError } from '../core/error.ts'
import { decodeGpt, decodeGptHeader, type Gpt } from './gpt.ts'

/** All pibake reads and writes counts in sectors of 512 bytes, as MBR tables of SD cards do. */
export const sectorBytes = 512

/** Partition types that matter on a Pi card: FAT (any kind) and Linux. */
export const fatTypes: ReadonlySet<number> = new Set([0x0b, 0x0c, 0x0e])
export const linuxType = 0x83

export interface Partition {
  /** From 1; to 4 in an MBR. */
  number: number
  startSector: number
  sectors: number
  /** The MBR type byte. */
  type: number
  /** Its own GUID, in a GPT. */
  guid?: string
}

export interface PartitionTable {
  /** The disk identifier: 8 lower-case hex digits in an MBR, a GUID in a GPT. */
  diskId: string
  partitions: Partition[]
}

/** The PARTUUID that the kernel gives a partition: its GUID in a GPT, otherwise `<disk id>-0<number>`. */
export const partuuidOf = (diskId: string, { number, guid }: Pick<Partition, 'number' | 'guid'>): string =>
  guid ?? `${diskId}-${number.toString(16).padStart(2, '0')}`

/** IMAGE_INVALID for the file at `path`. */
export const invalidImage = (path: string, problem: string, cause?: unknown): PibakeError =>
  new PibakeError('IMAGE_INVALID', `\`${path}\` ${problem}.`, {
    hint: 'Name a Raspberry Pi image: a FAT boot partition, then an ext4 root partition.',
    cause,
  })

/** Open an image for reading; a missing or unreadable file is IMAGE_INVALID. */
export const openImage = async (path: string): Promise<FileHandle> => {
  try {
    return await open(path, 'r')
  } catch (error) {
    throw invalidImage(path, `cannot be opened (${errnoOf(error) ?? String(error)})`, error)
  }
}

/** Read exactly `sizeBytes` at `position`; undefined when the file ends before. */
export const readAt = async (
  file: FileHandle,
  position: number,
  sizeBytes: number,
): Promise<Buffer<ArrayBuffer> | undefined> => {
  const buffer = Buffer.alloc(sizeBytes)
  let filled = 0
  while (filled < sizeBytes) {
    const { bytesRead } = await file.read(buffer, filled, sizeBytes - filled, position + filled)
    if (bytesRead === 0) return undefined
    filled += bytesRead
  }
  return buffer
}

/** Decode the four primary entries of a master boot record (offset 446, 16 bytes each); empty ones are left out. */
export const decodeTable = (mbr: Buffer): PartitionTable => {
  const partitions = [0, 1, 2, 3].map((index) => ({
    number: index + 1,
    type: mbr.readUInt8(446 + 16 * index + 4),
    startSector: mbr.readUInt32LE(446 + 16 * index + 8),
    sectors: mbr.readUInt32LE(446 + 16 * index + 12),
  }))
  return {
    diskId: mbr.readUInt32LE(440).toString(16).padStart(8, '0'),
    partitions: partitions.filter(({ type, sectors }) => type !== 0 && sectors > 0),
  }
}

/** A master boot record without boot code; its CHS fields say "use the LBA", as those of sfdisk do beyond 8 GB. */
export const encodeTable = (table: PartitionTable): Buffer => {
  const mbr = Buffer.alloc(sectorBytes)
  mbr.writeUInt32LE(Number.parseInt(table.diskId, 16), 440)
  for (const { number, type, startSector, sectors } of table.partitions) {
    const entry = 446 + 16 * (number - 1)
    mbr.set([0, 0xfe, 0xff, 0xff, type, 0xfe, 0xff, 0xff], entry)
    mbr.writeUInt32LE(startSector, entry + 8)
    mbr.writeUInt32LE(sectors, entry + 12)
  }
  mbr.writeUInt16LE(0xaa55, 510)
  return mbr
}

/** The first pair of partitions that share sectors. */
const findOverlap = (partitions: readonly Partition[]): [Partition, Partition] | undefined => {
  const sorted = partitions.toSorted((a, b) => a.startSector - b.startSector)
  for (const [index, next] of sorted.entries()) {
    const previous = sorted[index - 1]
    if (previous && previous.startSector + previous.sectors > next.startSector) return [previous, next]
  }
  return undefined
}

/** Read the GPT that a protective MBR announces. */
const readGpt = async (file: FileHandle, path: string): Promise<Gpt> => {
  const sector = await readAt(file, sectorBytes, sectorBytes)
  const header = sector && decodeGptHeader(sector)
  const entries = header && (await readAt(file, header.entriesOffset, header.entriesBytes))
  const gpt = entries && decodeGpt(header, entries)
  if (!gpt) throw invalidImage(path, 'has a damaged GPT partition table')
  return gpt
}

/**
 * Read the partition table, MBR or GPT, of an image file without mounting anything.
 * Throws IMAGE_INVALID (exit 2) for a file that is empty, no disk image, truncated, or whose partitions overlap.
 */
export const readPartitionTable = async (path: string): Promise<PartitionTable> => {
  await using file = await openImage(path)
  const status = await file.stat()
  if (status.isDirectory()) throw invalidImage(path, 'is a folder, not an image')
  if (status.isFile() && status.size === 0) throw invalidImage(path, 'is empty')
  const mbr = await readAt(file, 0, sectorBytes)
  if (mbr?.readUInt16LE(510) !== 0xaa55) throw invalidImage(path, 'is not a disk image: it has no partition table')
  const primary = decodeTable(mbr)
  const table = primary.partitions.some(({ type }) => type === 0xee) ? await readGpt(file, path) : primary
  if (table.partitions.length === 0) throw invalidImage(path, 'has an empty partition table')
  for (const { number, startSector, sectors } of table.partitions) {
    const endBytes = (startSector + sectors) * sectorBytes
    if (status.isFile() && endBytes > status.size) {
      throw invalidImage(path, `is truncated: partition ${number} ends at byte ${endBytes}, the file at ${status.size}`)
    }
    if (startSector === 0) throw invalidImage(path, `has a partition ${number} that covers the partition table`)
  }
  const overlap = findOverlap(table.partitions)
  if (overlap) throw invalidImage(path, `has overlapping partitions ${overlap[0].number} and ${overlap[1].number}`)
  return table
}
