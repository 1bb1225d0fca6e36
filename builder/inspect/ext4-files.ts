import type { Ext4 } from '../image/ext4.ts'
import { byCodeUnit, decodeName, joinPath } from './entry-name.ts'
import { readAttributes } from './ext4-attributes.ts'
import { readInode } from './ext4-blocks.ts'
import { type Inode, inodeReader } from './ext4-inode.ts'
import { type Ext4Layout, readExt4Layout } from './ext4-layout.ts'
import type { Entry, Medium, Volume } from './volume.ts'

const rootInode = 2
/** The content of a folder or link is taken whole; a longer one is damage, not content. */
const mostContentBytes = 256 << 20

interface Child {
  name: string
  inode: number
}

/**
 * Names in the content of a folder: "Linear Directories" in the kernel's ext4 documentation. The blocks of a hashed
 * folder's index look like empty entries, and so does a block's checksum.
 */
const decodeFolder = (content: Buffer, layout: Ext4Layout, medium: Medium): Child[] => {
  const children: Child[] = []
  for (let at = 0; at + 8 <= content.length; ) {
    const inode = content.readUInt32LE(at)
    // In blocks of 64 KiB a length that does not fit is written as 0xffff or 0.
    const written = content.readUInt16LE(at + 4)
    const length = written === 0xffff || written === 0 ? layout.blockBytes : written
    const nameBytes = layout.hasFileTypes ? content.readUInt8(at + 6) : content.readUInt16LE(at + 6)
    if (length < 8 + nameBytes || length % 4 !== 0 || at + length > content.length) {
      throw medium.invalid('has a damaged ext4: a folder does not hold together')
    }
    const name = content.subarray(at + 8, at + 8 + nameBytes)
    const isOwn = (nameBytes === 1 || nameBytes === 2) && name.every((byte) => byte === 0x2e)
    if (inode !== 0 && !isOwn) children.push({ name: decodeName(name), inode })
    at += length
  }
  return children.sort((a, b) => byCodeUnit(a.name, b.name))
}

/** The number of a device, in whichever of the kernel's two encodings it has: `include/linux/kdev_t.h`. */
const deviceOf = (body: Buffer): string => {
  const old = body.readUInt32LE(0)
  if (old !== 0) return `${(old >> 8) & 0xff}:${old & 0xff}`
  const number = body.readUInt32LE(4)
  return `${(number & 0xfff00) >> 8}:${(number & 0xff) | ((number >>> 12) & 0xfff00)}`
}

/**
 * Read the entries of the ext4 (or ext2, ext3) of a partition. Throws IMAGE_INVALID where it is damaged in what holds
 * names and inodes, or has features that this reader does not know. A journal is not replayed.
 */
export const readExt4Volume = (medium: Medium, { label, uuid, freeBlocks, features }: Ext4): Volume => {
  const layout = readExt4Layout(medium)
  const readNumber = inodeReader(medium, layout)
  const contentOf = (inode: Inode): Buffer => {
    if (inode.sizeBytes > mostContentBytes)
      throw medium.invalid(`has a damaged ext4: inode ${inode.number} is too long`)
    return Buffer.concat([...readInode(medium, layout, inode)])
  }
  // A target of fewer than 60 bytes is kept in the inode, as e2fsprogs' `ext2fs_is_fast_symlink` tells.
  const targetOf = (inode: Inode): string =>
    decodeName(inode.sizeBytes < 60 && !inode.usesExtents ? inode.body.subarray(0, inode.sizeBytes) : contentOf(inode))
  const describe = (path: string, inode: Inode): Entry => {
    const { kind, sizeBytes, usedBytes, mtimeSeconds, mode, uid, gid } = inode
    const attributes = readAttributes(medium, layout, inode)
    return {
      path,
      kind,
      sizeBytes: kind === 'file' || kind === 'link' ? sizeBytes : 0,
      usedBytes,
      mtimeSeconds,
      owner: { mode, uid, gid },
      inode: inode.number,
      ...(kind === 'link' ? { target: targetOf(inode) } : {}),
      ...(kind.endsWith('device') ? { device: deviceOf(inode.body) } : {}),
      ...(attributes ? { attributes } : {}),
    }
  }

  const entries = new Map<string, Entry>()
  const folders = new Set<number>()
  const pending: { path: string; inode: number }[] = [{ path: '/', inode: rootInode }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path } = next
    const inode = readNumber(next.inode)
    entries.set(path, describe(path, inode))
    if (inode.kind !== 'folder') continue
    if (folders.has(inode.number)) throw medium.invalid('has a damaged ext4: a folder is in two places')
    folders.add(inode.number)
    const children = decodeFolder(contentOf(inode), layout, medium)
    for (const child of children.toReversed()) pending.push({ path: joinPath(path, child.name), inode: child.inode })
  }
  return {
    kind: 'ext4',
    label,
    id: uuid,
    sizeBytes: layout.blocks * layout.blockBytes,
    usedBytes: (layout.blocks - freeBlocks) * layout.blockBytes,
    features,
    entries,
    readFile: (entry) => readInode(medium, layout, readNumber(entry.inode)),
  }
}
