import { walkTree } from './walk.ts'

/** The erase block of most cards: partitions begin and end on it. */
const alignmentBytes = 4 << 20

/** The next multiple of the alignment. */
export const align = (bytes: number): number => Math.ceil(bytes / alignmentBytes) * alignmentBytes

/** The ext4 block size; a Pi's kernel has pages of 4 or 16 KiB and takes it either way. */
export const blockBytes = 4096
const inodeBytes = 256
const blocksPerGroup = 32_768
/** The journal, fixed so that an image's size follows from its content alone: 32 MiB, mke2fs's own choice for 2 GiB. */
export const journalMiB = 32
/** Space for descriptors to grow to 2 TiB, the most that an MBR partition can have. */
export const largestBlocks = 2 ** 29
const reservedDescriptorBlocks = (largestBlocks / blocksPerGroup) * (32 / blockBytes)

export interface TreeSize {
  /** Blocks that files, folders and long links take. */
  blocks: number
  inodes: number
}

/** How much of an ext4 a tree needs; hard links count once. */
export const measureTree = (root: string, skip: (path: string) => boolean): TreeSize => {
  const linked = new Set<string>()
  let blocks = 0
  let inodes = 0
  for (const { stats, children } of walkTree(root, skip)) {
    if (!stats.isDirectory() && stats.nlink > 1) {
      const id = `${stats.dev}:${stats.ino}`
      if (linked.has(id)) continue
      linked.add(id)
    }
    inodes += 1
    if (stats.isFile()) blocks += Math.ceil(stats.size / blockBytes)
    // A target of up to 59 bytes is kept in the inode.
    else if (stats.isSymbolicLink()) blocks += stats.size < 60 ? 0 : 1
    else if (stats.isDirectory()) {
      const entryBytes = children.reduce((sum, name) => sum + 12 + Buffer.byteLength(name), 64)
      blocks += Math.ceil(entryBytes / 3500)
    }
  }
  return { blocks, inodes }
}

export interface FileSystemSize {
  sizeBytes: number
  inodes: number
}

/** The ext4 that holds a tree and `marginMiB` of free space: journal, inode tables and backups of the superblock added. */
export const fitFileSystem = (tree: TreeSize, marginMiB: number): FileSystemSize => {
  const content = Math.ceil(tree.blocks * 1.005) + (marginMiB + journalMiB) * 256 + 1024
  let blocks = content
  let inodes = 0
  for (let round = 0; round < 4; round += 1) {
    const groups = Math.ceil(blocks / blocksPerGroup)
    // One inode for 16 KiB, mke2fs's default ratio: the ratio stays when the file system grows on the card.
    inodes = Math.max(blocks / 4, tree.inodes * 1.1 + 1024)
    const perGroup = Math.ceil(inodes / groups / 16) * 16
    inodes = perGroup * groups
    const backups = Math.min(groups, 2 + 2 * Math.ceil(Math.log2(groups + 1)))
    const tables = groups * (2 + (perGroup * inodeBytes) / blockBytes)
    blocks = content + tables + backups * (2 + reservedDescriptorBlocks)
  }
  return { sizeBytes: align(blocks * blockBytes), inodes: Math.ceil(inodes) }
}
