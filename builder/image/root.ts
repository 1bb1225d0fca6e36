import { join } from 'node:path'
import { PibakeError } from '../core/error.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import { blockBytes, type FileSystemSize, journalMiB, largestBlocks } from './measure.ts'

const script = join(import.meta.dirname, 'write-ext4.sh')

/**
 * Features of the root file system: those that Raspberry Pi OS has (`^huge_file,^64bit`), without what kernels and
 * e2fsprogs before 2022 do not know (metadata_csum_seed, orphan_file). Spelt out, so that no mke2fs.conf changes them.
 */
export const rootFeatures: readonly string[] = [
  'has_journal',
  'ext_attr',
  'resize_inode',
  'dir_index',
  'filetype',
  'extent',
  'flex_bg',
  'sparse_super',
  'large_file',
  'dir_nlink',
  'extra_isize',
  'metadata_csum',
]

/** mke2fs's words for a file system that has run out of blocks or inodes. */
const outOfRoom = /Could not allocate (block|inode)/

/** Whether a failure of `writeRoot` means that the file system was too small for the tree. */
export const isOutOfRoom = (error: unknown): boolean =>
  error instanceof PibakeError && error.code === 'COMMAND_FAILED' && error.details.some((line) => outOfRoom.test(line))

/**
 * Write the ext4 root partition into `image` at `offsetBytes` from the folder `root`, without mounting.
 * `excluded` are paths inside the tree that stay away with all beneath them.
 */
export const writeRoot = async (options: {
  tools: Tools
  image: string
  offsetBytes: number
  size: FileSystemSize
  root: string
  excluded: readonly string[]
  uuid: string
  label: string
  features: readonly string[]
  hashSeed: string
  timeSeconds: number
  signal?: AbortSignal
}): Promise<void> => {
  const { tools, image, offsetBytes, size, root, excluded, timeSeconds } = options
  const extended = [
    `offset=${offsetBytes}`,
    `hash_seed=${options.hashSeed}`,
    ...(options.features.includes('resize_inode') ? [`resize=${largestBlocks}`] : []),
    // Whole inode tables and journal, so that a card need not be written to again when it first boots.
    'lazy_itable_init=0',
    'lazy_journal_init=0',
    'nodiscard',
  ]
  const format = [
    '-q',
    '-F',
    '-t',
    'ext4',
    '-O',
    ['none', ...options.features].join(','),
    '-b',
    String(blockBytes),
    '-I',
    '256',
    '-m',
    '1',
  ]
  const identity = ['-L', options.label, '-U', options.uuid, '-N', String(size.inodes)]
  const journal = options.features.includes('has_journal') ? ['-J', `size=${journalMiB}`] : []
  const target = ['-E', extended.join(','), '-d', '-', image, `${size.sizeBytes / 1024}k`]
  await runTool(
    tools,
    ['bash', script, root, String(timeSeconds), '-', ...format, ...identity, ...journal, ...target],
    {
      readOnly: [root, script],
      writable: [image],
      env: { SOURCE_DATE_EPOCH: String(timeSeconds) },
      input: excluded.map((path) => `.${path}\n`).join(''),
      ...(options.signal ? { signal: options.signal } : {}),
    },
  )
}
