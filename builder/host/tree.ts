import { mkdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { hashJson, type Sha256 } from '../core/digest.ts'
import { errnoOf } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import { unfinishedFolder } from '../core/project.ts'
import { digestFolder } from './digest-folder.ts'
import { extractFirst, extractWithTree } from './extract.ts'
import type { Tools } from './sandbox.ts'
import { makeScratch } from './scratch.ts'
import { writeTreeSettings } from './tree-settings.ts'

/** A package to unpack into a tree. */
export interface TreeDeb {
  name: string
  version: string
  sha256: Sha256
  /** Absolute path of the .deb, already verified. */
  path: string
}

/** What a tree holds: the files of each package as absolute paths inside the tree, `/usr` merged. */
export type TreePackages = Readonly<Record<string, { version: string; files: readonly string[] }>>

const stampName = '.pibake-tree.json'
const packagesName = '.pibake-packages.json'

const stampSchema = z.object({ key: z.string(), digest: z.string() })

/** Changes whenever trees are laid out in another way, so that older ones count as stale. */
const layout = 2

/** What a tree of these packages is stamped with. */
export const treeKey = (debs: readonly { name: string; sha256: Sha256 }[]): Sha256 =>
  hashJson({ layout, debs: debs.map(({ name, sha256 }) => `${name} ${sha256}`).sort() })

const readStamp = async (destination: string): Promise<z.infer<typeof stampSchema> | undefined> =>
  stampSchema.safeParse(await readJson(join(destination, stampName))).data

/** Whether `destination` was unpacked from these packages; nothing else of it is read. */
export const isTreeCurrent = async (destination: string, key: Sha256): Promise<boolean> =>
  (await readStamp(destination))?.key === key

/**
 * What is at `destination`: a whole tree with this key, another one or none, or one that is no longer what was unpacked.
 * Reads all of it, with the programs of `tools` or, without these, with its own.
 */
export const inspectTree = async (
  destination: string,
  key: Sha256,
  { tools = { root: destination }, signal }: { tools?: Tools; signal?: AbortSignal } = {},
): Promise<'current' | 'other' | 'damaged'> => {
  const stamp = await readStamp(destination)
  if (stamp?.key !== key) return 'other'
  // A tree too damaged to run its own tar is damaged as well.
  const options = { exclude: [stampName], ...(signal ? { signal } : {}) }
  const digest = await digestFolder(tools, destination, options).catch(() => undefined)
  signal?.throwIfAborted()
  return digest === stamp.digest ? 'current' : 'damaged'
}

/** The packages of an unpacked tree with their files; empty for a tree that pibake has not made. */
export const readTreePackages = async (root: string): Promise<TreePackages> =>
  ((await readJson(join(root, packagesName))) ?? {}) as TreePackages

const readJson = async (path: string): Promise<unknown> => {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Where top-level folders point in a merged-/usr system. */
const mergedFolders = ['bin', 'sbin', 'lib', 'lib64'] as const

const mergedPath = (path: string): string => (/^\/(?:bin|sbin|lib|lib64)\//.test(path) ? `/usr${path}` : path)

export interface UnpackOptions {
  debs: readonly TreeDeb[]
  /** Where the tree goes; what is there is replaced. */
  destination: string
  /** Names among `debs` that hold tar, xz and bubblewrap with all that they need; unused when `tools` is given. */
  first: ReadonlySet<string>
  /** A tree that is already there and unpacks this one. */
  tools?: Tools
  emit: Emit
  signal?: AbortSignal
}

/**
 * Unpack packages into a root of their own and return it. No maintainer script is run. The tree is made in a scratch
 * folder beside `destination` and moved there when it is whole, so a tree that exists is always complete.
 */
export const unpackTree = async (options: UnpackOptions): Promise<Tools> => {
  const { destination, emit } = options
  const id = `tree:${basename(destination)}`
  return runStep(emit, { id, title: `Unpack ${options.debs.length} packages into a tools tree` }, async () => {
    await using scratch = await makeScratch(join(dirname(destination), unfinishedFolder))
    const root = join(scratch.path, 'root')
    const tools = options.tools ?? (await unpackFirst(join(scratch.path, 'first'), options))
    await prepareRoot(root)
    const packages = await unpackAll(root, tools, { ...options, id })
    await writeTreeSettings(root)
    await writeFile(join(root, packagesName), JSON.stringify(packages))
    // The folder's own time is part of the digest, so the file is there before that is taken.
    await writeFile(join(root, stampName), '')
    const digest = await digestFolder(options.tools ?? { root }, root, { exclude: [stampName] })
    await writeFile(join(root, stampName), JSON.stringify({ key: treeKey(options.debs), digest }))
    await replaceFolder(root, destination, { key: treeKey(options.debs), old: join(scratch.path, 'old') })
    return { root: destination }
  })
}

const prepareRoot = async (root: string): Promise<void> => {
  for (const folder of ['etc', 'var', 'usr']) await mkdir(join(root, folder), { recursive: true, mode: 0o755 })
  for (const folder of mergedFolders) {
    await mkdir(join(root, 'usr', folder), { recursive: true, mode: 0o755 })
    await symlink(`usr/${folder}`, join(root, folder))
  }
}

const unpackFirst = async (root: string, options: UnpackOptions): Promise<Tools> => {
  await prepareRoot(root)
  const debs = options.debs.filter(({ name }) => options.first.has(name))
  await Promise.all(debs.map(({ path }) => extractFirst(path, root)))
  options.signal?.throwIfAborted()
  return { root }
}

const unpackAll = async (
  root: string,
  tools: Tools,
  { debs, emit, signal, id }: UnpackOptions & { id: string },
): Promise<TreePackages> => {
  const packages: Record<string, { version: string; files: string[] }> = {}
  const sizes = new Map(await Promise.all(debs.map(async ({ path }) => [path, (await stat(path)).size] as const)))
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  let done = 0
  const unpackOne = async ({ name, version, path }: TreeDeb): Promise<void> => {
    const files = await extractWithTree(path, { root, tools, ...(signal ? { signal } : {}) })
    packages[name] = { version, files: files.map(mergedPath).sort() }
    done += sizes.get(path) ?? 0
    emit({ type: 'step-progress', id, done, total, unit: 'bytes', note: name })
  }
  // base-files goes first and alone: it carries the links of the merged /usr, which the others are unpacked through.
  const baseFiles = debs.find(({ name }) => name === 'base-files')
  if (baseFiles) await unpackOne(baseFiles)
  const bySize = debs
    .filter((deb) => deb !== baseFiles)
    .sort((a, b) => (sizes.get(b.path) ?? 0) - (sizes.get(a.path) ?? 0))
  const queue = bySize.values()
  const worker = async (): Promise<void> => {
    for (const deb of queue) await unpackOne(deb)
  }
  await Promise.all(Array.from({ length: availableParallelism() + 1 }, worker))
  return Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/**
 * Move a whole tree into place, what was there to `old`; when another process has just done so with an equal one, theirs
 * stays.
 */
const replaceFolder = async (from: string, to: string, { key, old }: { key: Sha256; old: string }): Promise<void> => {
  if (await isTreeCurrent(to, key)) return
  await rename(to, old).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
  })
  await rename(from, to).catch(async (error: unknown) => {
    if (!(await isTreeCurrent(to, key))) throw error
  })
}
