import { chmod, lutimes, mkdir, readdir, readFile, rm, rmdir, stat, symlink } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { extract, type ReadEntry } from 'tar'
import type { Blobs } from '../cache/blobs.ts'
import { explainFailure, interrupted } from '../cache/failure.ts'
import { runParallel } from '../cache/parallel.ts'
import type { Sha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Architecture } from '../host/architecture.ts'
import { binFolderOf, mendFirstLine, readCommands } from './npm-bin.ts'
import { choosePruned, hasTargetPrebuild, type NpmManifest, wantsInstallScript } from './npm-prune.ts'

/** What is needed of a locked npm package to unpack it. */
export interface NpmTarball {
  name: string
  version: string
  path: string
  sha256: Sha256
  sizeBytes: number
}

export interface ExtractedTree {
  /** Files and links. */
  files: number
  /** Bytes in the files. */
  sizeBytes: number
  /** Packages that would compile or download something when installed and bring no prebuild for the image. */
  unbuilt: string[]
}

export interface ExtractOptions {
  /** Of the image; prebuilds for others are left out. */
  architecture: Architecture
  /** Modification time of everything, in seconds since 1970. */
  timeSeconds: number
  signal?: AbortSignal
}

/** Goes up when the same packages are laid out or pruned in another way. */
export const npmTreeFormat = 1

const unpackParallel = 4

/**
 * Unpack an npm tree below `destination` (made when missing; should be empty) the way `npm ci --ignore-scripts` lays it
 * out, with `.bin` links, and without what the image does not need (`choosePruned`). Nothing of a package is ever run.
 * Same input, same tree: modes are 0755 and 0644, times are `timeSeconds`. Throws `CACHE_CORRUPT`, `MISSING_OFFLINE`,
 * `DISK_FULL`, and `DOWNLOAD_CORRUPT` for a tarball that is broken or holds anything but files and folders of its own.
 */
export const extractNpmTree = async (
  packages: readonly NpmTarball[],
  options: ExtractOptions & { blobs: Blobs; destination: string },
): Promise<ExtractedTree> => {
  const { architecture, blobs, destination, signal } = options
  await blobs.verifyBlobs(
    packages.map((item) => ({ ...item, label: `${item.name} ${item.version}` })),
    signal ? { signal } : {},
  )
  const sorted = packages.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  const unpacked = await runParallel(sorted, unpackParallel, async (item) => {
    if (signal?.aborted) throw interrupted()
    const label = `${item.name} ${item.version}`
    const folder = join(destination, item.path)
    try {
      await unpackTarball(blobs.blobPath(item.sha256), folder, label)
      const manifest = await readManifest(folder, label)
      return { item, folder, manifest, built: await prunePackage(folder, { manifest, architecture }) }
    } catch (error) {
      throw explainFailure(error, label, signal)
    }
  })
  for (const { item, folder, manifest } of unpacked) await linkCommands(destination, item.path, folder, manifest)
  const tree = await settle(join(destination, 'node_modules'), options.timeSeconds)
  const unbuilt = unpacked.filter(({ built }) => !built).map(({ item }) => `${item.name} ${item.version}`)
  return { ...tree, unbuilt }
}

const plainTypes = new Set(['File', 'OldFile', 'ContiguousFile', 'Directory'])

const unpackTarball = async (tarball: string, folder: string, label: string): Promise<void> => {
  await mkdir(folder, { recursive: true })
  const odd: string[] = []
  const check = (entry: ReadEntry): boolean => {
    const plain = plainTypes.has(entry.type)
    if (!plain) odd.push(`${entry.path} (${entry.type})`)
    const inside = !entry.path.startsWith('/') && !entry.path.split('/').includes('..')
    if (!inside) odd.push(entry.path)
    entry.mode = (entry.mode ?? 0o644) | (entry.type === 'Directory' ? 0o700 : 0o600)
    return plain && inside
  }
  try {
    await extract({
      file: tarball,
      cwd: folder,
      strip: 1,
      strict: true,
      preserveOwner: false,
      filter: (_path, entry) => !('header' in entry) || check(entry),
    })
  } catch (error) {
    if (errnoOf(error) !== undefined && !String(errnoOf(error)).startsWith('TAR_')) throw error
    throw badTarball(label, odd.length > 0 ? odd.join(', ') : messageOf(error), error)
  }
  if (odd.length > 0) throw badTarball(label, `it holds ${odd.slice(0, 5).join(', ')}`)
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const badTarball = (label: string, reason: string, cause?: unknown): PibakeError =>
  new PibakeError('DOWNLOAD_CORRUPT', `The npm package \`${label}\` cannot be unpacked: ${reason}.`, {
    hint: 'A package may hold only files and folders below its own folder. Take another version of it.',
    cause,
  })

const readManifest = async (folder: string, label: string): Promise<NpmManifest> => {
  try {
    const text = await readFile(join(folder, 'package.json'), 'utf8')
    const manifest: unknown = JSON.parse(text.replace(/^\uFEFF/, ''))
    return manifest !== null && typeof manifest === 'object' ? manifest : {}
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && !(error instanceof SyntaxError)) throw error
    throw badTarball(label, `its package.json is not there or not JSON (${messageOf(error)})`, error)
  }
}

/** Files of a package without those of packages below it, relative, sorted. */
const listFiles = async (folder: string, inside = ''): Promise<string[]> => {
  const files: string[] = []
  for (const entry of await readdir(join(folder, inside), { withFileTypes: true })) {
    const path = posix.join(inside, entry.name)
    if (path === 'node_modules') continue
    if (entry.isDirectory()) files.push(...(await listFiles(folder, path)))
    else files.push(path)
  }
  return files.sort()
}

/** Remove what the image does not need. False when it needs an install script to work at its best. */
const prunePackage = async (
  folder: string,
  { manifest, architecture }: { manifest: NpmManifest; architecture: Architecture },
): Promise<boolean> => {
  const files = await listFiles(folder)
  const readText = (file: string): Promise<string> => readFile(join(folder, file), 'utf8')
  const pruned = await choosePruned({ manifest, files, architecture, readText })
  const emptied = new Set<string>()
  for (const file of pruned) {
    await rm(join(folder, file))
    for (let parent = posix.dirname(file); parent !== '.'; parent = posix.dirname(parent)) emptied.add(parent)
  }
  for (const inside of [...emptied].sort().reverse()) {
    await rmdir(join(folder, inside)).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOTEMPTY') throw error
    })
  }
  return hasTargetPrebuild(files, architecture) || !wantsInstallScript(manifest, files)
}

const linkCommands = async (
  destination: string,
  path: string,
  folder: string,
  manifest: NpmManifest,
): Promise<void> => {
  const { folder: binFolder, back } = binFolderOf(path)
  for (const { name, file } of await readCommands(folder, manifest)) {
    const target = join(folder, file)
    const isFile = await stat(target).then(
      (status) => status.isFile(),
      () => false,
    )
    if (!isFile) continue
    await mendFirstLine(target)
    await chmod(target, 0o755)
    await mkdir(join(destination, binFolder), { recursive: true })
    await symlink(posix.join(back, file), join(destination, binFolder, name)).catch((error: unknown) => {
      // Of two packages with one command the first by path has it, whatever order they were unpacked in.
      if (errnoOf(error) !== 'EEXIST') throw error
    })
  }
}

/** Give all of a folder its modes and times, deepest first, and count it. */
const settle = async (folder: string, timeSeconds: number): Promise<{ files: number; sizeBytes: number }> => {
  const amount = { files: 0, sizeBytes: 0 }
  const visit = async (path: string): Promise<void> => {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      const child = join(path, entry.name)
      if (entry.isDirectory()) {
        await visit(child)
        continue
      }
      amount.files += 1
      if (entry.isFile()) {
        const { mode, size } = await stat(child)
        await chmod(child, mode & 0o111 ? 0o755 : 0o644)
        amount.sizeBytes += size
      }
      await lutimes(child, timeSeconds, timeSeconds)
    }
    await chmod(path, 0o755)
    await lutimes(path, timeSeconds, timeSeconds)
  }
  await mkdir(folder, { recursive: true })
  await visit(folder)
  return amount
}
