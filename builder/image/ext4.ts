import type { FileHandle } from 'node:fs/promises'
import { readAt } from './table.ts'

/** What an ext4 superblock says; see "ext4 Data Structures and Algorithms", section Super Block, in the kernel's documentation. */
export interface Ext4 {
  label: string
  uuid: string
  blockBytes: number
  blocks: number
  freeBlocks: number
  firstBlock: number
  blocksPerGroup: number
  inodesPerGroup: number
  inodeBytes: number
  descriptorBytes: number
  reservedDescriptorBlocks: number
  /** Cleanly unmounted, no recorded errors, no journal to replay. */
  clean: boolean
  /** Whether block bitmaps can be read by the plain rules: no meta_bg, no bigalloc. */
  plainBitmaps: boolean
  sparseSuper: boolean
  /** Names of its features as mke2fs(8) has them, sorted; undefined when it has one that is not known here. */
  features: string[] | undefined
}

/** Features by the words of the superblock that hold their bits (`s_feature_compat`, `_incompat`, `_ro_compat`). */
const featureNames: readonly (readonly [at: number, names: Readonly<Record<number, string>>])[] = [
  [
    92,
    {
      4: 'has_journal',
      8: 'ext_attr',
      16: 'resize_inode',
      32: 'dir_index',
      512: 'sparse_super2',
      2048: 'stable_inodes',
      4096: 'orphan_file',
    },
  ],
  [
    96,
    {
      2: 'filetype',
      16: 'meta_bg',
      64: 'extent',
      128: '64bit',
      512: 'flex_bg',
      1024: 'ea_inode',
      8192: 'metadata_csum_seed',
      16384: 'large_dir',
      32768: 'inline_data',
      65536: 'encrypt',
      131072: 'casefold',
    },
  ],
  [
    100,
    {
      1: 'sparse_super',
      2: 'large_file',
      8: 'huge_file',
      16: 'uninit_bg',
      32: 'dir_nlink',
      64: 'extra_isize',
      256: 'quota',
      512: 'bigalloc',
      1024: 'metadata_csum',
      8192: 'project',
      32768: 'verity',
    },
  ],
]

const readFeatures = (block: Buffer): string[] | undefined => {
  const features: string[] = []
  for (const [at, names] of featureNames) {
    let left = block.readUInt32LE(at)
    for (const [bit, name] of Object.entries(names)) {
      if ((left & Number(bit)) === 0) continue
      features.push(name)
      left &= ~Number(bit)
    }
    if (left !== 0) return undefined
  }
  return features.sort()
}

const incompatible = { recover: 0x4, metaBlockGroup: 0x10, bits64: 0x80 }
const readOnlyCompatible = { sparseSuper: 0x1, bigalloc: 0x200 }

/** Read the ext2/3/4 superblock of the partition at `offset`; undefined when there is none. */
export const readExt4 = async (file: FileHandle, offset: number): Promise<Ext4 | undefined> => {
  const block = await readAt(file, offset + 1024, 1024)
  if (block === undefined || block.readUInt16LE(56) !== 0xef53) return undefined
  const incompat = block.readUInt32LE(96)
  const readOnly = block.readUInt32LE(100)
  const high = (at: number): number => (incompat & incompatible.bits64 ? block.readUInt32LE(at) * 2 ** 32 : 0)
  const uuid = block.toString('hex', 104, 120)
  return {
    label: block.toString('utf8', 120, 136).replace(/\0.*$/s, ''),
    uuid: uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    blockBytes: 1024 << block.readUInt32LE(24),
    blocks: block.readUInt32LE(4) + high(336),
    freeBlocks: block.readUInt32LE(12) + high(344),
    firstBlock: block.readUInt32LE(20),
    blocksPerGroup: block.readUInt32LE(32),
    inodesPerGroup: block.readUInt32LE(40),
    inodeBytes: block.readUInt16LE(88) || 128,
    descriptorBytes: incompat & incompatible.bits64 ? block.readUInt16LE(254) : 32,
    reservedDescriptorBlocks: block.readUInt16LE(206),
    clean: (block.readUInt16LE(58) & 0x3) === 0x1 && (incompat & incompatible.recover) === 0,
    plainBitmaps: (incompat & incompatible.metaBlockGroup) === 0 && (readOnly & readOnlyCompatible.bigalloc) === 0,
    sparseSuper: (readOnly & readOnlyCompatible.sparseSuper) !== 0,
    features: readFeatures(block),
  }
}

const isPowerOf = (value: number, base: number): boolean => {
  let power = base
  while (power < value) power *= base
  return power === value
}

/** Groups that hold a copy of the superblock: with sparse_super 0, 1 and the powers of 3, 5 and 7. */
const hasSuperblock = (group: number, sparseSuper: boolean): boolean =>
  !sparseSuper || group <= 1 || [3, 5, 7].some((base) => isPowerOf(group, base))

/**
 * One byte per block of the file system: 1 when its own bitmaps and descriptors say it is in use.
 * Taken from the block bitmaps, plus everything the descriptors place (a group flagged BLOCK_UNINIT has no bitmap yet),
 * never from what a block holds: a block of zeros inside a file counts as used.
 */
export const usedBlocks = async (file: FileHandle, offset: number, ext4: Ext4): Promise<Uint8Array> => {
  const used = new Uint8Array(ext4.blocks)
  if (!ext4.plainBitmaps) return used.fill(1)
  const groups = Math.ceil((ext4.blocks - ext4.firstBlock) / ext4.blocksPerGroup)
  const descriptorBlocks = Math.ceil((groups * ext4.descriptorBytes) / ext4.blockBytes)
  const read = async (block: number, blocks: number): Promise<Buffer> => {
    const bytes = await readAt(file, offset + block * ext4.blockBytes, blocks * ext4.blockBytes)
    if (bytes === undefined) throw new Error(`block ${block} lies beyond the end of the file`)
    return bytes
  }
  const descriptors = await read(ext4.firstBlock + 1, descriptorBlocks)
  const tableBlocks = Math.ceil((ext4.inodesPerGroup * ext4.inodeBytes) / ext4.blockBytes)
  used.fill(1, 0, ext4.firstBlock)
  for (let group = 0; group < groups; group += 1) {
    const at = group * ext4.descriptorBytes
    const wide = ext4.descriptorBytes >= 64
    const pointer = (low: number, high: number): number =>
      descriptors.readUInt32LE(at + low) + (wide ? descriptors.readUInt32LE(at + high) * 2 ** 32 : 0)
    const first = ext4.firstBlock + group * ext4.blocksPerGroup
    const count = Math.min(ext4.blocksPerGroup, ext4.blocks - first)
    const bitmapBlock = pointer(0, 32)
    used[bitmapBlock] = 1
    used[pointer(4, 36)] = 1
    used.fill(1, pointer(8, 40), pointer(8, 40) + tableBlocks)
    if (hasSuperblock(group, ext4.sparseSuper)) {
      used.fill(1, first, Math.min(first + 1 + descriptorBlocks + ext4.reservedDescriptorBlocks, first + count))
    }
    const uninitialised = (descriptors.readUInt16LE(at + 18) & 0x2) !== 0
    if (uninitialised) continue
    const bitmap = await read(bitmapBlock, 1)
    for (let index = 0; index < count; index += 1) {
      if (((bitmap[index >> 3] ?? 0) >> (index & 7)) & 1) used[first + index] = 1
    }
  }
  return used
}
