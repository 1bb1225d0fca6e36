import type { Medium } from './volume.ts'

/** Bits of `s_feature_incompat` that this reader can do with. */
const incompatible = {
  filetype: 0x2,
  needsRecovery: 0x4,
  extent: 0x40,
  bits64: 0x80,
  mmp: 0x100,
  flexBlockGroups: 0x200,
  checksumSeed: 0x2000,
  largeFolders: 0x4000,
} as const
const understood = Object.values(incompatible).reduce((mask, bit) => mask | bit, 0)
const hugeFile = 0x8

/** What is needed to find inodes; from the superblock, see "Super Block" in the kernel's ext4 documentation. */
export interface Ext4Layout {
  blockBytes: number
  blocks: number
  inodes: number
  inodesPerGroup: number
  inodeBytes: number
  /** Whether folders say what their entries are, in the byte after the length of the name. */
  hasFileTypes: boolean
  hugeFiles: boolean
  /** Block of the inode table of each group. */
  inodeTables: number[]
}

/** Read superblock and group descriptors. Throws IMAGE_INVALID for features that this reader does not know. */
export const readExt4Layout = (medium: Medium): Ext4Layout => {
  const block = medium.read(1024, 1024)
  const bits = block.readUInt32LE(96)
  const foreign = (bits & ~understood) >>> 0
  if (foreign !== 0) {
    throw medium.invalid(
      `has an ext4 with features that are not supported, 0x${foreign.toString(16)} of those incompatible`,
    )
  }
  const wide = (bits & incompatible.bits64) !== 0
  const blockBytes = 1024 * 2 ** block.readUInt32LE(24)
  const blocks = block.readUInt32LE(4) + (wide ? block.readUInt32LE(336) * 2 ** 32 : 0)
  const firstBlock = block.readUInt32LE(20)
  const groups = Math.ceil((blocks - firstBlock) / block.readUInt32LE(32))
  const descriptorBytes = wide ? block.readUInt16LE(254) : 32
  const inodesPerGroup = block.readUInt32LE(40)
  const inodeBytes = block.readUInt32LE(76) === 0 ? 128 : block.readUInt16LE(88)
  const isSound =
    blockBytes <= 65_536 &&
    groups >= 1 &&
    inodesPerGroup >= 1 &&
    descriptorBytes >= (wide ? 64 : 32) &&
    inodeBytes >= 128
  if (!isSound) throw medium.invalid('has a damaged ext4 superblock')
  const descriptors = medium.read((firstBlock + 1) * blockBytes, groups * descriptorBytes)
  return {
    blockBytes,
    blocks,
    inodes: block.readUInt32LE(0),
    inodesPerGroup,
    inodeBytes,
    hasFileTypes: (bits & incompatible.filetype) !== 0,
    hugeFiles: (block.readUInt32LE(100) & hugeFile) !== 0,
    inodeTables: Array.from({ length: groups }, (_, group) => {
      const at = group * descriptorBytes
      return descriptors.readUInt32LE(at + 8) + (wide ? descriptors.readUInt32LE(at + 40) * 2 ** 32 : 0)
    }),
  }
}
