import { crc32 } from 'node:zlib'
import type { Partition } from './table.ts'

/** What a GUID partition table says, with the type of each partition as the byte that an MBR would have. */
export interface Gpt {
  /** GUID of the disk. */
  diskId: string
  partitions: Partition[]
}

/** Where the partition entries lie, from a header that is whole. */
export interface GptHeader {
  diskId: string
  entriesOffset: number
  entryBytes: number
  entriesBytes: number
  entriesCrc32: number
}

/** Types by the UEFI specification (table 5.6) and the Discoverable Partitions Specification; all else counts as data. */
const types: Readonly<Record<string, number>> = {
  'c12a7328-f81f-11d2-ba4b-00a0c93ec93b': 0x0c,
  'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7': 0x0c,
  '0fc63daf-8483-4772-8e79-3d69d8477de4': 0x83,
  '4f68bce3-e8cd-4db1-96e7-fbcaf984b709': 0x83,
  'b921b045-1df0-41c3-af44-4c6f280d3fae': 0x83,
  '69dad710-2ce4-4e3c-b16c-21a1d49abed3': 0x83,
}
const otherType = 0xda
const unused = '00000000-0000-0000-0000-000000000000'
const largestEntries = 1 << 20

/** A GUID as it is written: its first three parts are little-endian on the disk. */
const guidAt = (bytes: Buffer, at: number): string => {
  const first = bytes.readUInt32LE(at).toString(16).padStart(8, '0')
  const [second, third] = [4, 6].map((more) =>
    bytes
      .readUInt16LE(at + more)
      .toString(16)
      .padStart(4, '0'),
  )
  return [first, second, third, bytes.toString('hex', at + 8, at + 10), bytes.toString('hex', at + 10, at + 16)].join(
    '-',
  )
}

/**
 * Read the header in the second sector of a disk; undefined when its signature, size or checksum is not right.
 * Format: UEFI specification 2.10, section 5.3.2.
 */
export const decodeGptHeader = (sector: Buffer): GptHeader | undefined => {
  const headerBytes = sector.readUInt32LE(12)
  if (sector.toString('latin1', 0, 8) !== 'EFI PART' || headerBytes < 92 || headerBytes > sector.length)
    return undefined
  const header = Buffer.from(sector.subarray(0, headerBytes))
  header.writeUInt32LE(0, 16)
  if (crc32(header) !== sector.readUInt32LE(16)) return undefined
  const entryBytes = sector.readUInt32LE(84)
  const entriesBytes = entryBytes * sector.readUInt32LE(80)
  if (entryBytes < 128 || entriesBytes > largestEntries) return undefined
  return {
    diskId: guidAt(sector, 56),
    entriesOffset: Number(sector.readBigUInt64LE(72)) * 512,
    entryBytes,
    entriesBytes,
    entriesCrc32: sector.readUInt32LE(88),
  }
}

/** Read the partition entries; undefined when their checksum is not that of the header. */
export const decodeGpt = (header: GptHeader, entries: Buffer): Gpt | undefined => {
  if (crc32(entries) !== header.entriesCrc32) return undefined
  const partitions: Partition[] = []
  for (let at = 0; at + header.entryBytes <= entries.length; at += header.entryBytes) {
    const type = guidAt(entries, at)
    if (type === unused) continue
    const startSector = Number(entries.readBigUInt64LE(at + 32))
    partitions.push({
      number: at / header.entryBytes + 1,
      type: types[type] ?? otherType,
      startSector,
      sectors: Number(entries.readBigUInt64LE(at + 40)) - startSector + 1,
      guid: guidAt(entries, at + 16),
    })
  }
  return { diskId: header.diskId, partitions }
}
