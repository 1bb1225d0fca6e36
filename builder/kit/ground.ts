import { lstat, readdir, readFile, rm, rmdir, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runParallel } from '../cache/parallel.ts'
import { hashFile } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import { formatBytes } from '../core/size.ts'
import { fatType, largestOnFat } from '../host/file-system.ts'
import { type KitFile, kitPaths, ownFolders, parseManifest, refuseKit } from './manifest.ts'
import { isUnfinished } from './open.ts'
import type { SourceFile } from './source-file.ts'

/** How many files are read or written at once: several small ones, so that a flush to the stick serves them together. */
export const atOnce = 4

const statusOf = async (path: string) => {
  try {
    return await lstat(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}

const sizeOf = async (path: string): Promise<number | undefined> => {
  const status = await statusOf(path)
  return status?.isFile() ? status.size : undefined
}

/**
 * See that a folder is a kit's, finished or not, or one where nothing is in a kit's way, and that none of a kit's own
 * folders leads elsewhere. `paths` are those that a kit is about to have. Throws `USAGE`, `KIT_INVALID`.
 */
export const assertOurs = async (folder: string, paths: Iterable<string>): Promise<void> => {
  for (const name of ownFolders) {
    const status = await statusOf(join(folder, name))
    if (status?.isSymbolicLink()) throw refuseKit(folder, `has a link in place of the folder \`${name}\``)
  }
  const isKit = (await isUnfinished(folder)) || (await sizeOf(join(folder, kitPaths.manifest))) !== undefined
  if (isKit) return
  const ours = new Set<string | undefined>(ownFolders)
  for (const path of paths) ours.add(path.split('/')[0])
  const inTheWay = (await readdir(folder)).filter((name) => ours.has(name))
  if (inTheWay.length === 0) return
  throw new PibakeError('USAGE', `\`${folder}\` is no kit, and holds things that a kit would replace.`, {
    hint: 'Name an empty folder or an empty stick.',
    details: inTheWay,
  })
}

/** Every folder on the way to the paths, the top one (`.`) among them. */
export const foldersOf = (paths: Iterable<string>): Set<string> => {
  const folders = new Set<string>()
  for (const path of paths) {
    for (let at = dirname(path); !folders.has(at); at = dirname(at)) folders.add(at)
  }
  return folders
}

/** Throw `KIT_INVALID` when the way to any of the paths leads by a link: it could lead out of the stick. */
export const assertNoLinks = async (folder: string, paths: Iterable<string>): Promise<void> => {
  for (const way of foldersOf(paths)) {
    if (way === '.' || !(await statusOf(join(folder, way)))?.isSymbolicLink()) continue
    throw refuseKit(folder, `has a link in place of the folder \`${way}\``)
  }
}

/** What the kit that is there says of its files, by path; empty where there is none that can be read. */
export const readBefore = async (folder: string): Promise<Map<string, KitFile>> => {
  const text = await readFile(join(folder, kitPaths.manifest), 'utf8').catch(() => undefined)
  if (text === undefined) return new Map()
  try {
    return new Map(parseManifest(folder, text).files.map((file) => [file.path, file]))
  } catch (error) {
    if (error instanceof PibakeError) return new Map()
    throw error
  }
}

/** Remove the files of the kit that was there (`before`) which are not `wanted`, wherever they lie; returns how many. */
export const removeFormer = async (
  folder: string,
  before: ReadonlyMap<string, KitFile>,
  wanted: ReadonlySet<string>,
): Promise<number> => {
  const former = [...before.keys()].filter((path) => !wanted.has(path))
  await assertNoLinks(folder, former)
  let removed = 0
  for (const path of former) {
    if ((await sizeOf(join(folder, path))) === undefined) continue
    await rm(join(folder, path))
    removed += 1
  }
  return removed
}

/**
 * Remove what is not `wanted` from the folders that are the kit's alone, links above all; returns how many files went.
 * Empty folders go too.
 */
export const sweep = async (folder: string, wanted: ReadonlySet<string>): Promise<number> => {
  let removed = 0
  /** Whether the folder at `path` is gone. */
  const visit = async (path: string): Promise<boolean> => {
    const entries = await readdir(join(folder, path), { withFileTypes: true }).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    })
    if (entries === undefined) return true
    let left = 0
    for (const entry of entries) {
      const below = `${path}/${entry.name}`
      if (entry.isDirectory()) left += (await visit(below)) ? 0 : 1
      else if (entry.isFile() && wanted.has(below)) left += 1
      else {
        await rm(join(folder, below))
        removed += 1
      }
    }
    if (left === 0) await rmdir(join(folder, path))
    return left === 0
  }
  for (const name of ownFolders) await visit(name)
  return removed
}

/**
 * Paths of the files that are there as they are to be: by what the kit that was there says (`before`) and their size, or
 * by reading them where that is not to be trusted.
 */
export const findKept = async (
  folder: string,
  files: readonly SourceFile[],
  options: {
    before: ReadonlyMap<string, KitFile>
    readAll: boolean
    onRead: (progress: { done: number; total: number; note: string }) => void
    signal: AbortSignal
  },
): Promise<Set<string>> => {
  const { before, readAll, onRead, signal } = options
  const kept = new Set<string>()
  const doubtful: SourceFile[] = []
  for (const file of files) {
    if ((await sizeOf(join(folder, file.path))) !== file.sizeBytes) continue
    if (!readAll && before.get(file.path)?.sha256 === file.sha256) kept.add(file.path)
    else doubtful.push(file)
  }
  const total = doubtful.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  let done = 0
  await runParallel(doubtful, atOnce, async ({ path, sha256, sizeBytes }) => {
    // One that cannot be read is written anew.
    const found = await hashFile(join(folder, path), { signal }).catch(() => undefined)
    signal.throwIfAborted()
    if (found === sha256) kept.add(path)
    done += sizeBytes
    onRead({ done, total, note: path })
  })
  return kept
}

/** Throw `DISK_FULL` or, for a file that FAT cannot hold, `USAGE`, unless all of `missing` has room in the folder. */
export const assertFits = async (folder: string, missing: readonly SourceFile[]): Promise<void> => {
  const { bavail, bsize, type } = await statfs(folder)
  const large = missing.find(({ sizeBytes }) => sizeBytes > largestOnFat)
  if (large && type === fatType) {
    const size = formatBytes(large.sizeBytes)
    throw new PibakeError('USAGE', `\`${large.path}\` is larger than a file on FAT can be (${size}).`, {
      hint: 'Format the stick with exFAT or ext4, or bake with `--compress xz`: the kit then takes the archive.',
    })
  }
  const needed = missing.reduce((sum, { sizeBytes }) => sum + Math.ceil(sizeBytes / bsize) * bsize, 0)
  if (needed <= bavail * bsize) return
  const amount = `${formatBytes(needed)} are to be copied, ${formatBytes(bavail * bsize)} are free`
  throw new PibakeError('DISK_FULL', `\`${folder}\` is too small for the kit: ${amount}.`, {
    hint: 'Take a larger stick, or name fewer profiles with `--profile`.',
  })
}
