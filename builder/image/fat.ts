import type { FileHandle } from 'node:fs/promises'
import { readAt } from './table.ts'

/** What a FAT32 boot sector says; all offsets are bytes from the start of the partition. */
export interface Fat {
  label: string
  /** `XXXX-XXXX`, as blkid prints it. */
  volumeId: string
  sizeBytes: number
  clusterBytes: number
  tableOffset: number
  tableBytes: number
  /** How many copies of the table follow each other. */
  tables: number
  /** Where cluster 2 begins. */
  dataOffset: number
  /** The first cluster of the top folder. */
  topCluster: number
  /** The sector that counts what is free; undefined where there is none. */
  infoOffset: number | undefined
}

/**
 * Decode a FAT32 boot sector; undefined when it is none.
 * Format: Microsoft's "FAT: General Overview of On-Disk Format", BPB and the FAT32 extension.
 */
const decodeFat = (boot: Buffer): Fat | undefined => {
  if (boot.readUInt16LE(510) !== 0xaa55) return undefined
  if (boot.toString('latin1', 82, 90) !== 'FAT32   ') return undefined
  const sector = boot.readUInt16LE(11)
  const tables = boot.readUInt8(16)
  const tableBytes = boot.readUInt32LE(36) * sector
  const tableOffset = boot.readUInt16LE(14) * sector
  const id = boot.readUInt32LE(67).toString(16).toUpperCase().padStart(8, '0')
  const clusterBytes = boot.readUInt8(13) * sector
  const info = boot.readUInt16LE(48)
  if (clusterBytes === 0 || tableBytes === 0) return undefined
  return {
    label: boot.toString('latin1', 71, 82).trimEnd(),
    volumeId: `${id.slice(0, 4)}-${id.slice(4)}`,
    sizeBytes: boot.readUInt32LE(32) * sector,
    clusterBytes,
    tableOffset,
    tableBytes,
    tables,
    dataOffset: tableOffset + tables * tableBytes,
    topCluster: boot.readUInt32LE(44),
    infoOffset: info === 0 || info === 0xffff ? undefined : info * sector,
  }
}

/** Read the FAT32 boot sector at `offset`; undefined when there is none. */
export const readFat = async (file: FileHandle, offset: number): Promise<Fat | undefined> => {
  const boot = await readAt(file, offset, 512)
  return boot && decodeFat(boot)
}

/** Bytes from the start of the partition to the end of its last used cluster: what a card needs of it. */
export const usedFatBytes = async (file: FileHandle, offset: number, fat: Fat): Promise<number> => {
  const table = await readAt(file, offset + fat.tableOffset, fat.tableBytes)
  if (table === undefined) throw new Error('the FAT lies beyond the end of the file')
  const clusters = Math.floor((fat.sizeBytes - fat.dataOffset) / fat.clusterBytes)
  let last = Math.min(clusters + 1, table.length / 4 - 1)
  while (last > 1 && (table.readUInt32LE(4 * last) & 0x0fff_ffff) === 0) last -= 1
  return fat.dataOffset + (last - 1) * fat.clusterBytes
}
