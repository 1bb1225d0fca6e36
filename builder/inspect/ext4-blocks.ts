import type { Inode } from './ext4-inode.ts'
import type { Ext4Layout } from './ext4-layout.ts'
import { type Medium, pieceBytes } from './volume.ts'

/** So many blocks of a file, from its block `logical` on, lie at block `start` of the volume. What no run covers is zeros. */
interface BlockRun {
  logical: number
  start: number
  blocks: number
}

interface Source {
  medium: Medium
  layout: Ext4Layout
}

/** Extents of more blocks than this are reserved and not written: they read as zeros. */
const mostInitialised = 32_768

/** Runs of a node of an extent tree, `depth` levels above its leaves; see "Extent Tree" in the kernel's ext4 documentation. */
function* extentRuns(source: Source, node: Buffer, depth: number): Generator<BlockRun> {
  const { medium, layout } = source
  const entries = node.readUInt16LE(2)
  if (node.readUInt16LE(0) !== 0xf30a || node.readUInt16LE(6) !== depth || 12 * (entries + 1) > node.length) {
    throw medium.invalid('has a damaged ext4: an extent tree does not hold together')
  }
  for (let at = 12; at < 12 * (entries + 1); at += 12) {
    if (depth > 0) {
      const block = node.readUInt32LE(at + 4) + node.readUInt16LE(at + 8) * 2 ** 32
      yield* extentRuns(source, medium.read(block * layout.blockBytes, layout.blockBytes), depth - 1)
    } else {
      const blocks = node.readUInt16LE(at + 4)
      const start = node.readUInt32LE(at + 8) + node.readUInt16LE(at + 6) * 2 ** 32
      if (blocks <= mostInitialised) yield { logical: node.readUInt32LE(at), start, blocks }
    }
  }
}

/** Runs of the map that ext2 and ext3 have: "Direct/Indirect Block Addressing", `depth` blocks of pointers above the data. */
function* mappedRuns(source: Source, pointers: Buffer, depth: number, logical: number): Generator<BlockRun> {
  const { medium, layout } = source
  const span = (layout.blockBytes / 4) ** depth
  for (let index = 0; index < pointers.length / 4; index += 1) {
    const start = pointers.readUInt32LE(4 * index)
    const first = logical + index * span
    if (start === 0) continue
    if (depth === 0) yield { logical: first, start, blocks: 1 }
    else yield* mappedRuns(source, medium.read(start * layout.blockBytes, layout.blockBytes), depth - 1, first)
  }
}

function* blockRuns(source: Source, { body, usesExtents }: Inode): Generator<BlockRun> {
  if (usesExtents) {
    // The kernel allows five levels; a deeper tree would go in a circle.
    yield* extentRuns(source, body, Math.min(body.readUInt16LE(6), 5))
    return
  }
  const perBlock = source.layout.blockBytes / 4
  yield* mappedRuns(source, body.subarray(0, 48), 0, 0)
  let logical = 12
  for (let depth = 1; depth <= 3; depth += 1) {
    yield* mappedRuns(source, body.subarray(44 + 4 * depth, 48 + 4 * depth), depth, logical)
    logical += perBlock ** depth
  }
}

function* zeros(sizeBytes: number): Generator<Uint8Array> {
  for (let left = sizeBytes; left > 0; left -= pieceBytes) yield new Uint8Array(Math.min(left, pieceBytes))
}

/** The content of an inode, holes as zeros, in pieces of up to 1 MiB. Throws IMAGE_INVALID for a damaged tree. */
export function* readInode(medium: Medium, layout: Ext4Layout, inode: Inode): Generator<Uint8Array> {
  const { blockBytes } = layout
  let done = 0
  for (const { logical, start, blocks } of blockRuns({ medium, layout }, inode)) {
    const from = logical * blockBytes
    // Blocks may be reserved beyond the end of a file.
    const end = Math.min(from + blocks * blockBytes, inode.sizeBytes)
    if (from >= inode.sizeBytes) break
    if (from < done) throw medium.invalid('has a damaged ext4: the blocks of a file are out of order')
    yield* zeros(from - done)
    for (done = from; done < end; ) {
      const piece = medium.read(start * blockBytes + done - from, Math.min(end - done, pieceBytes))
      yield piece
      done += piece.length
    }
  }
  yield* zeros(inode.sizeBytes - done)
}
