import type { Medium } from './volume.ts'

/**
 * Names of the feature bits as dumpe2fs(8) prints them, by bit, from e2fsprogs `lib/e2p/feature.c`; `understood` are the
 * incompatible ones that this reader can do with.
 */
const featureNames = {
  compatible: {
    1: 'dir_prealloc',
    4: 'has_journal',
    8: 'ext_attr',
    16: 'resize_inode',
    32: 'dir_index',
    512: 'sparse_super2',
    1024: 'fast_commit',
    2048: 'stable_inodes',
    4096: 'orphan_file',
  },
  incompatible: {
    1: 'compression',
    2: 'filetype',
    4: 'needs_recovery',
    8: 'journal_dev',
    16: 'meta_bg',
    64: 'extent',
    128: '64bit',
    256: 'mmp',
    512: 'flex_bg',
    1024: 'ea_inode',
    4096: 'dirdata',
    8192: 'metadata_csum_seed',
    16384: 'large_dir',
    32768: 'inline_data',
    65536: 'encrypt',
    131072: 'casefold',
  },
  readOnlyCompatible: {
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
    65536: 'orphan_present',
  },
} as const

const understood: ReadonlySet<string> = new Set([
  'filetype',
  'needs_recovery',
  'extent',
  '64bit',
  'mmp',
  'flex_bg',
  'metadata_csum_seed',
  'large_dir',
])

/** Names of the bits that are set in a word of feature flags; an unknown one is `bit 0xN`. */
const namesOf = (word: number, names: Readonly<Record<number, string>>): string[] =>
  Array.from({ length: 32 }, (_, index) => 2 ** index)
    .filter((bit) => Math.floor(word / bit) % 2 === 1)
    .map((bit) => names[bit] ?? `bit 0x${bit.toString(16)}`)

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
  features: string[]
  /** Block of the inode table of each group. */
  inodeTables: number[]
}

/** Read superblock and group descriptors. Throws IMAGE_INVALID for features that this reader does not know. */
export const readExt4Layout = (medium: Medium): Ext4Layout => {
  const block = medium.read(1024, 1024)
  const incompatible = namesOf(block.readUInt32LE(96), featureNames.incompatible)
  const readOnly = namesOf(block.readUInt32LE(100), featureNames.readOnlyCompatible)
  const foreign = incompatible.filter((name) => !understood.has(name))
  if (foreign.length > 0)
    throw medium.invalid(`has an ext4 with features that are not supported: ${foreign.join(', ')}`)
  const wide = incompatible.includes('64bit')
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
    hasFileTypes: incompatible.includes('filetype'),
    hugeFiles: readOnly.includes('huge_file'),
    features: [...namesOf(block.readUInt32LE(92), featureNames.compatible), ...incompatible, ...readOnly],
    inodeTables: Array.from({ length: groups }, (_, group) => {
      const at = group * descriptorBytes
      return descriptors.readUInt32LE(at + 8) + (wide ? descriptors.readUInt32LE(at + 40) * 2 ** 32 : 0)
    }),
  }
}
