import { readdirSync } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm, statfs, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import { unfinishedFolder } from '../core/project.ts'
import { formatBytes } from '../core/size.ts'
import type { Tools } from '../host/sandbox.ts'
import { makeScratch } from '../host/scratch.ts'
import { digestImage, renderBmap } from './bmap.ts'
import { listBoot, writeBoot } from './boot.ts'
import { encodeGpt, gptTypes } from './encode-gpt.ts'
import type { DiskLayout } from './layout.ts'
import { align, blockBytes, type FileSystemSize, fitFileSystem, measureTree } from './measure.ts'
import { isOutOfRoom, writeRoot } from './root.ts'
import { encodeTable, linuxType, sectorBytes } from './table.ts'

/** What a GPT needs after the last partition, in whole MiB. */
const gptTailBytes = 1 << 20

export interface AssembleOptions {
  tools: Tools
  /** The finished root: an overlay's merged view or a plain tree, with real owners. */
  root: string
  /** The image to write, such as `images/pub.img`; `.bmap` and `.sha256` land beside it. */
  destination: string
  layout: DiskLayout
  /** A UUID that seeds the hashes of ext4 folders. */
  hashSeed: string
  /** Free space of the root file system. */
  marginMiB: number
  /** The lock's time in seconds since 1970; nothing on the image is younger. */
  timeSeconds: number
  /** Paths inside the root (`/var/cache/x`) that stay away from the image with all beneath them. */
  excludes?: readonly string[]
  /** Looks at the root while the image is being written; a rejection leaves no image. */
  approval?: Promise<void>
  emit: Emit
  /** The step that progress is reported for. */
  stepId?: string
  signal?: AbortSignal
}

export interface AssembledImage {
  sizeBytes: number
  sha256: Sha256
}

const diskFull = (folder: string, message: string, cause?: unknown): PibakeError =>
  new PibakeError('DISK_FULL', message, {
    hint: `Free some space in \`${folder}\`, then run the same command again; the image that was there is untouched.`,
    cause,
  })

const checkSpace = async (folder: string, needBytes: number): Promise<void> => {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize >= needBytes) return
  const sizes = `needs ${formatBytes(needBytes)}, \`${folder}\` has ${formatBytes(bavail * bsize)}`
  throw diskFull(folder, `The disk is too full for the image: it ${sizes}.`)
}

/**
 * Report how much of the image is written until `work` ends, and have the disk take it meanwhile: mke2fs keeps one
 * processor busy and leaves all its bytes in memory, for its own fsync to wait for at the end.
 */
const watchFile = async <T>(
  path: string,
  totalBytes: number,
  options: AssembleOptions,
  work: Promise<T>,
): Promise<T> => {
  const ended = new AbortController()
  const watch = async (): Promise<void> => {
    await sleep(200, undefined, { signal: ended.signal })
    await using file = await open(path, 'r')
    for (;;) {
      await file.datasync()
      const done = Math.min((await file.stat()).blocks * 512, totalBytes)
      const id = options.stepId ?? 'assemble'
      options.emit({ type: 'step-progress', id, done, total: totalBytes, unit: 'bytes', note: 'writing' })
      await sleep(200, undefined, { signal: ended.signal })
    }
  }
  const watching = watch().catch(() => undefined)
  try {
    return await work
  } finally {
    ended.abort()
    await watching
  }
}

interface Extent {
  startBytes: number
  sizeBytes: number
}

const inSectors = ({ startBytes, sizeBytes }: Extent) => ({
  startSector: startBytes / sectorBytes,
  sectors: sizeBytes / sectorBytes,
})

/** Write the partition table into `file`, which gets its whole size. */
const writeTable = async (
  file: FileHandle,
  { boot, root }: { boot: Extent; root: Extent },
  { diskId, gpt }: DiskLayout,
): Promise<void> => {
  const endBytes = root.startBytes + root.sizeBytes
  if (gpt === undefined) {
    await file.truncate(endBytes)
    const partitions = [
      { number: 1, type: 0x0c, ...inSectors(boot) },
      { number: 2, type: linuxType, ...inSectors(root) },
    ]
    await file.write(encodeTable({ diskId, partitions }), 0, undefined, 0)
    return
  }
  const sizeBytes = endBytes + gptTailBytes
  await file.truncate(sizeBytes)
  const partitions = [
    { typeGuid: gptTypes.efiSystem, guid: gpt.bootGuid, name: 'bootfs', ...inSectors(boot) },
    { typeGuid: gpt.rootType, guid: gpt.rootGuid, name: 'rootfs', ...inSectors(root) },
  ]
  const { start, end } = encodeGpt({ diskGuid: gpt.diskGuid, partitions }, sizeBytes)
  await file.write(start, 0, undefined, 0)
  await file.write(end, 0, undefined, sizeBytes - end.length)
}

/** Write the partition table and both file systems into the empty file `path`. */
const writePartitions = async (
  path: string,
  size: FileSystemSize,
  excluded: readonly string[],
  options: AssembleOptions,
) => {
  const { tools, root, layout, timeSeconds, signal } = options
  const { startBytes: bootStartBytes, sizeBytes: bootBytes, ...boot } = layout.boot
  const { startBytes: rootStartBytes, ...rootIdentity } = layout.root
  const folder = join(root, 'boot/firmware')
  const tree = listBoot(folder)
  const common = { tools, image: path, timeSeconds, ...(signal ? { signal } : {}) }
  await using file: FileHandle = await open(path, 'w')
  const extents = {
    boot: { startBytes: bootStartBytes, sizeBytes: bootBytes },
    root: { startBytes: rootStartBytes, sizeBytes: size.sizeBytes },
  }
  await writeTable(file, extents, layout)
  // Both write their own part of the file, so they may do it at the same time; neither is left behind by a failure.
  const results = await Promise.allSettled([
    writeBoot({ ...common, offsetBytes: bootStartBytes, sizeBytes: bootBytes, folder, tree, ...boot }),
    writeRoot({
      ...common,
      offsetBytes: rootStartBytes,
      size,
      root,
      excluded,
      ...rootIdentity,
      hashSeed: options.hashSeed,
    }),
  ])
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

const writeSynced = async (path: string, text: string): Promise<void> => writeFile(path, text, { flush: true })

const syncPath = async (path: string): Promise<void> => {
  await using handle = await open(path, 'r')
  await handle.sync()
}

/** Turn what ends the writing into what a user can act on. */
const explain = (error: unknown, folder: string, signal: AbortSignal | undefined): unknown => {
  if (error instanceof PibakeError && error.code !== 'DISK_FULL') return error
  if (signal?.aborted) {
    return new PibakeError('INTERRUPTED', 'Interrupted.', { hint: 'Run the same command again.', cause: error })
  }
  const full = errnoOf(error) === 'ENOSPC' || error instanceof PibakeError
  return full ? diskFull(folder, 'The disk became full while the image was written.', error) : error
}

/**
 * Write the image of a finished root: MBR or GPT, FAT32 from `/boot/firmware`, ext4 from all else, laid out as `layout` says, and its
 * `.sha256` and `.bmap`. The same tree and options give the same bytes. Everything is written under temporary names in
 * the same folder and takes its name only when complete, approved and on disk: an older image stays until then.
 * Throws what `approval` rejects with, DISK_FULL, CONFIG_INVALID (boot partition too small), STAGE_FAILED (boot files
 * that FAT cannot hold).
 */
export const assembleImage = async (options: AssembleOptions): Promise<AssembledImage> => {
  const { root, destination, signal } = options
  const folder = dirname(destination)
  const name = basename(destination)
  const bootNames = readdirSync(join(root, 'boot/firmware')).map((entry) => `/boot/firmware/${entry}`)
  const excluded = [...(options.excludes ?? []), ...bootNames, '/lost+found']
  const left = new Set(excluded)
  const tree = measureTree(root, (path) => left.has(path))
  let size = fitFileSystem(tree, options.marginMiB)
  const contentBytes = tree.blocks * blockBytes + listBoot(join(root, 'boot/firmware')).sizeBytes
  await mkdir(folder, { recursive: true })
  await using scratch = await makeScratch(join(folder, unfinishedFolder))
  const temporary = join(scratch.path, name)
  const parts = { bmap: `${temporary}.bmap`, sha256: `${temporary}.sha256` }
  await checkSpace(folder, Math.ceil(contentBytes * 1.02) + (64 << 20))
  try {
    options.emit({ type: 'debug', message: 'image layout', fields: { contentBytes, ...size } })
    for (let attempt = 1; ; attempt += 1) {
      try {
        await watchFile(temporary, contentBytes, options, writePartitions(temporary, size, excluded, options))
        break
      } catch (error) {
        if (!isOutOfRoom(error) || attempt === 4) throw error
        const bytes = align(size.sizeBytes * 1.05)
        options.emit({ type: 'debug', message: `root file system too small, trying ${formatBytes(bytes)}` })
        size = { sizeBytes: bytes, inodes: Math.ceil(size.inodes * 1.05) }
        await rm(temporary, { force: true })
      }
    }
    const synced = syncPath(temporary)
    const onProgress = (done: number, total: number): void =>
      options.emit({
        type: 'step-progress',
        id: options.stepId ?? 'assemble',
        done,
        total,
        unit: 'bytes',
        note: 'hashing',
      })
    const [digest] = await Promise.all([
      digestImage(temporary, { unmapped: 'zero', onProgress, ...(signal ? { signal } : {}) }),
      synced,
    ])
    await options.approval
    await writeSynced(parts.bmap, renderBmap(digest))
    await writeSynced(parts.sha256, `${digest.sha256}  ${name}\n`)
    // What describes the older image goes before it does.
    for (const ending of ['bmap', 'sha256']) await rm(`${destination}.${ending}`, { force: true })
    await rename(temporary, destination)
    await rename(parts.bmap, `${destination}.bmap`)
    await rename(parts.sha256, `${destination}.sha256`)
    await syncPath(folder)
    return { sizeBytes: digest.sizeBytes, sha256: digest.sha256 }
  } catch (error) {
    throw explain(error, folder, signal)
  }
}
