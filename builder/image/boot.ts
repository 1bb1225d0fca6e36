import { join } from 'node:path'
import { PibakeError } from '../core/error.ts'
import { formatBytes } from '../core/size.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import { mtoolsDrive } from './open.ts'
import { sectorBytes } from './table.ts'
import { walkTree } from './walk.ts'

/** FAT32 begins at 65,525 clusters; some firmware goes by the count, so a few more are kept. */
const leastClusters = 66_000

/** Sectors of a cluster, as large as FAT32 allows up to 4 KiB; undefined when a partition is too small for FAT32. */
export const clusterSectors = (sizeBytes: number): number | undefined =>
  [8, 4, 2, 1].find((sectors) => sizeBytes / (sectors * sectorBytes) >= leastClusters)

const unfit = (path: string, problem: string): PibakeError =>
  new PibakeError('STAGE_FAILED', `\`/boot/firmware${path}\` ${problem}.`, {
    hint: 'The boot partition is FAT: it holds plain files and folders whose names differ in more than case.',
  })

export interface BootTree {
  /** Folders below the top, parents first; each with the files in it. `''` is the top. */
  folders: { path: string; files: string[] }[]
  sizeBytes: number
}

/** List what goes into the boot partition. Throws STAGE_FAILED for what a FAT cannot hold. */
export const listBoot = (folder: string): BootTree => {
  const folders = new Map<string, string[]>()
  let sizeBytes = 0
  for (const { path, stats, children } of walkTree(folder)) {
    if (stats.isDirectory()) {
      folders.set(path === '/' ? '' : path, [])
      const folded = new Set(children.map((name) => name.toLowerCase()))
      if (folded.size < children.length) throw unfit(path, 'holds names that differ in case only')
    } else if (!stats.isFile()) throw unfit(path, 'is neither a file nor a folder')
    else {
      folders.get(path.slice(0, path.lastIndexOf('/')))?.push(path)
      sizeBytes += stats.size
    }
  }
  return { folders: Array.from(folders, ([path, files]) => ({ path, files })), sizeBytes }
}

/**
 * Make the FAT32 boot partition inside `image` and copy the files of `folder` into it, in sorted order and all with the
 * same time, so that equal files give equal bytes. FAT keeps no owners and no modes.
 */
export const writeBoot = async (options: {
  tools: Tools
  image: string
  offsetBytes: number
  sizeBytes: number
  folder: string
  tree: BootTree
  label: string
  /** 8 hex digits. */
  volumeId: string
  /** Undefined when the partition is too small for FAT32. */
  clusterSectors: number | undefined
  timeSeconds: number
  signal?: AbortSignal
}): Promise<void> => {
  const { tools, image, offsetBytes, sizeBytes, folder, tree } = options
  const cluster = options.clusterSectors
  const needBytes = tree.folders.reduce((sum, { files }) => sum + (files.length + 2) * 4096, tree.sizeBytes)
  if (cluster === undefined || needBytes > sizeBytes * 0.97) {
    throw new PibakeError(
      'CONFIG_INVALID',
      `A boot partition of ${formatBytes(sizeBytes)} is too small: its files take ${formatBytes(tree.sizeBytes)}.`,
      { hint: 'Raise `image.bootMiB` in the profile; 256 is usual, 34 the least.' },
    )
  }
  const run = (argv: string[]): Promise<unknown> =>
    runTool(tools, argv, {
      readOnly: [folder],
      writable: [image],
      env: { SOURCE_DATE_EPOCH: String(options.timeSeconds), MTOOLS_SKIP_CHECK: '1' },
      ...(options.signal ? { signal: options.signal } : {}),
    })
  const start = String(offsetBytes / sectorBytes)
  // `--invariant` sets an id of its own, so `-i` has to follow it.
  const identity = ['--invariant', '-i', options.volumeId, '-n', options.label]
  const format = ['mkfs.vfat', '-F', '32', ...identity, '-s', String(cluster)]
  await run([...format, '-h', start, '--offset', start, image, String(sizeBytes / 1024)])
  const drive = ['-i', mtoolsDrive(image, offsetBytes)]
  const below = tree.folders.filter(({ path }) => path !== '').map(({ path }) => `::${path}`)
  if (below.length > 0) await run(['mmd', ...drive, ...below])
  for (const { path, files } of tree.folders) {
    if (files.length > 0) await run(['mcopy', ...drive, '-Q', ...files.map((file) => join(folder, file)), `::${path}/`])
  }
}
