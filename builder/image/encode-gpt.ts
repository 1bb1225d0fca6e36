import { crc32 } from 'node:zlib'

/** GUIDs of the types that pibake's own partitions have; UEFI specification 2.10, table 5.7, and the Discoverable Partitions Specification. */
export const gptTypes = {
  efiSystem: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  linux: '0fc63daf-8483-4772-8e79-3d69d8477de4',
  rootAmd64: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
  rootArm64: 'b921b045-1df0-41c3-af44-4c6f280d3fae',
} as const

/** A partition of a GUID partition table. */
interface GptPartition {
  startSector: number
  sectors: number
  /** GUID of its type. */
  typeGuid: string
  /** Its own GUID, lower-case: the PARTUUID that Linux knows it by. */
  guid: string
  /** Up to 36 characters. */
  name: string
}

export interface NewGpt {
  diskGuid: string
  /** In the order of their numbers, from 1. */
  partitions: readonly GptPartition[]
}

const sectorBytes = 512
const entries = 128
const entryBytes = 128
const entrySectors = (entries * entryBytes) / sectorBytes
const headerBytes = 92
const signature = 'EFI PART'
/** Protective MBR, header and entries; then, at the end of the disk, entries and header once more. */
export const gptStartBytes = (2 + entrySectors) * sectorBytes
export const gptEndBytes = (1 + entrySectors) * sectorBytes

/** The first three groups of a GUID are little-endian (UEFI specification, appendix A). */
const guidOrder = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const

const swapGuid = (bytes: Buffer): Buffer => Buffer.from(guidOrder.map((index) => bytes.readUInt8(index)))

const encodeGuid = (guid: string): Buffer => swapGuid(Buffer.from(guid.replaceAll('-', ''), 'hex'))

const encodeEntries = (partitions: readonly GptPartition[]): Buffer => {
  const table = Buffer.alloc(entries * entryBytes)
  for (const [index, { typeGuid, guid, startSector, sectors, name }] of partitions.entries()) {
    const at = index * entryBytes
    encodeGuid(typeGuid).copy(table, at)
    encodeGuid(guid).copy(table, at + 16)
    table.writeBigUInt64LE(BigInt(startSector), at + 32)
    table.writeBigUInt64LE(BigInt(startSector + sectors - 1), at + 40)
    Buffer.from(name.slice(0, 36), 'utf16le').copy(table, at + 56)
  }
  return table
}

const encodeHeader = (
  diskGuid: string,
  table: Buffer,
  { own, other, entriesAt, lastSector }: { own: number; other: number; entriesAt: number; lastSector: number },
): Buffer => {
  const header = Buffer.alloc(sectorBytes)
  header.write(signature, 0, 'latin1')
  header.writeUInt32LE(0x0001_0000, 8)
  header.writeUInt32LE(headerBytes, 12)
  header.writeBigUInt64LE(BigInt(own), 24)
  header.writeBigUInt64LE(BigInt(other), 32)
  header.writeBigUInt64LE(BigInt(2 + entrySectors), 40)
  header.writeBigUInt64LE(BigInt(lastSector - 1 - entrySectors), 48)
  encodeGuid(diskGuid).copy(header, 56)
  header.writeBigUInt64LE(BigInt(entriesAt), 72)
  header.writeUInt32LE(entries, 80)
  header.writeUInt32LE(entryBytes, 84)
  header.writeUInt32LE(crc32(table), 88)
  header.writeUInt32LE(crc32(header.subarray(0, headerBytes)), 16)
  return header
}

/** The record that keeps tools which know no GPT away from the disk: one partition of type 0xee over all of it. */
const protectiveRecord = (lastSector: number): Buffer => {
  const record = Buffer.alloc(sectorBytes)
  record.set([0, 0, 0x02, 0, 0xee, 0xff, 0xff, 0xff], 446)
  record.writeUInt32LE(1, 454)
  record.writeUInt32LE(Math.min(lastSector, 0xffff_ffff), 458)
  record.writeUInt16LE(0xaa55, 510)
  return record
}

/** The two parts of a table for a disk of `sizeBytes`: at its start, `gptStartBytes`, and at its end, `gptEndBytes`. */
export const encodeGpt = ({ diskGuid, partitions }: NewGpt, sizeBytes: number): { start: Buffer; end: Buffer } => {
  const lastSector = sizeBytes / sectorBytes - 1
  const table = encodeEntries(partitions)
  const backupAt = lastSector - entrySectors
  const first = encodeHeader(diskGuid, table, { own: 1, other: lastSector, entriesAt: 2, lastSector })
  const second = encodeHeader(diskGuid, table, { own: lastSector, other: 1, entriesAt: backupAt, lastSector })
  return {
    start: Buffer.concat([protectiveRecord(lastSector), first, table]),
    end: Buffer.concat([table, second]),
  }
}
