import type { Ext4Layout } from './ext4-layout.ts'
import type { EntryKind, Medium } from './volume.ts'

const flags = { hugeFile: 0x4_0000, extents: 0x8_0000 } as const

/** An inode, decoded; see "Index Nodes" in the kernel's ext4 documentation. */
export interface Inode {
  number: number
  kind: EntryKind
  mode: number
  uid: number
  gid: number
  sizeBytes: number
  usedBytes: number
  mtimeSeconds: number
  usesExtents: boolean
  /** The 60 bytes that hold a short link's target, a device's number, or where the blocks are. */
  body: Buffer
  /** The part after the fixed fields, for extended attributes; empty in inodes of 128 bytes. */
  rest: Buffer
  /** Block with further extended attributes; 0 when there is none. */
  attributeBlock: number
}

const kinds: Readonly<Record<number, EntryKind>> = {
  1: 'fifo',
  2: 'character device',
  4: 'folder',
  6: 'block device',
  8: 'file',
  10: 'link',
  12: 'socket',
}

const decodeInode = (bytes: Buffer, number: number, layout: Ext4Layout): Inode | undefined => {
  const mode = bytes.readUInt16LE(0)
  const kind = kinds[mode >> 12]
  if (kind === undefined) return undefined
  const inodeFlags = bytes.readUInt32LE(32)
  const extraBytes = bytes.length > 128 ? bytes.readUInt16LE(128) : 0
  // Two bits of the nanoseconds' word extend the seconds beyond 2038; the field counts only where it is in the inode.
  const extra = extraBytes >= 12 ? bytes.readUInt32LE(136) : 0
  const sectors = bytes.readUInt32LE(28) + (layout.hugeFiles ? bytes.readUInt16LE(116) * 2 ** 32 : 0)
  const isHuge = layout.hugeFiles && (inodeFlags & flags.hugeFile) !== 0
  return {
    number,
    kind,
    mode: mode & 0o7777,
    uid: bytes.readUInt16LE(2) + bytes.readUInt16LE(120) * 0x10000,
    gid: bytes.readUInt16LE(24) + bytes.readUInt16LE(122) * 0x10000,
    sizeBytes: bytes.readUInt32LE(4) + bytes.readUInt32LE(108) * 2 ** 32,
    usedBytes: sectors * (isHuge ? layout.blockBytes : 512),
    mtimeSeconds: bytes.readInt32LE(16) + (extra & 3) * 2 ** 32,
    usesExtents: (inodeFlags & flags.extents) !== 0,
    body: bytes.subarray(40, 100),
    rest: bytes.subarray(Math.min(128 + extraBytes, bytes.length)),
    attributeBlock: bytes.readUInt32LE(104) + bytes.readUInt16LE(118) * 2 ** 32,
  }
}

/**
 * A function that reads inodes by number. It keeps the tables it has read, 2 MiB a group as pibake writes them.
 * Throws IMAGE_INVALID for a number that no inode has, and for one that is not in use.
 */
export const inodeReader = (medium: Medium, layout: Ext4Layout): ((number: number) => Inode) => {
  const tables = new Map<number, Buffer>()
  const tableOf = (group: number): Buffer => {
    const known = tables.get(group)
    if (known) return known
    const block = layout.inodeTables[group] ?? 0
    const table = medium.read(block * layout.blockBytes, layout.inodesPerGroup * layout.inodeBytes)
    tables.set(group, table)
    return table
  }
  return (number) => {
    if (number < 1 || number > layout.inodes) throw medium.invalid(`has a damaged ext4: there is no inode ${number}`)
    const group = Math.floor((number - 1) / layout.inodesPerGroup)
    const at = ((number - 1) % layout.inodesPerGroup) * layout.inodeBytes
    const inode = decodeInode(tableOf(group).subarray(at, at + layout.inodeBytes), number, layout)
    if (!inode) throw medium.invalid(`has a damaged ext4: inode ${number} is not in use`)
    return inode
  }
}
