import { lstat, readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { create } from 'tar'
import { derive } from '../cache/derived.ts'
import { hashFile, hashJson, type Json } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Project } from '../core/project.ts'
import type { SourceFile } from './source-file.ts'

/** Go up when an archive is made in another way. */
const format = 1

/** What of a checkout is carried, as far as it is there. */
const sourcePaths = [
  ...['pibake', 'package.json', 'package-lock.json', '.npmrc', 'tsconfig.json', 'LICENSE', 'README.md'],
  ...['CONTRIBUTING.md', 'Vagrantfile', 'builder', 'docs', 'overlays', 'stages', 'packages-cache/locks'],
] as const

/** All files and links at or below a path of `root`, sorted. */
const walk = async (root: string, path: string, skip: (path: string) => boolean): Promise<string[]> => {
  if (skip(path)) return []
  const status = await lstat(join(root, path)).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (status === undefined) return []
  if (!status.isDirectory()) return status.isFile() || status.isSymbolicLink() ? [path] : []
  const below = (await readdir(join(root, path))).sort()
  return (await Promise.all(below.map((name) => walk(root, `${path}/${name}`, skip)))).flat()
}

const describe = async (root: string, path: string): Promise<Json> => {
  const source = join(root, path)
  const status = await lstat(source)
  if (status.isSymbolicLink()) return [path, 'link', await readlink(source)]
  return [path, (status.mode & 0o100) === 0 ? 'file' : 'program', await hashFile(source)]
}

/** One archive of files of the checkout, made once for its content; the same bytes for the same files. */
const archive = async (
  project: Project,
  paths: readonly string[],
  options: { path: string; label: string; signal: AbortSignal },
): Promise<SourceFile> => {
  const { path, label, signal } = options
  const content = await Promise.all(paths.map((item) => describe(project.root, item)))
  const key = hashJson(['archive of a kit', format, content])
  const made = await derive(project.cache, { key, label, signal }, async (file) => {
    const times = { mtime: new Date(0), portable: true, noDirRecurse: true } as const
    await create({ file, cwd: project.root, gzip: { level: 6 }, ...times }, [...paths])
  })
  return { path, source: made.path, sizeBytes: made.sizeBytes, sha256: made.sha256, label }
}

/** pibake itself with its stages, locks and documents. */
export const packSources = async (project: Project, signal: AbortSignal): Promise<SourceFile> => {
  const isLeftOver = (path: string): boolean => path.endsWith('/node_modules')
  const paths = (await Promise.all(sourcePaths.map((path) => walk(project.root, path, isLeftOver)))).flat()
  return archive(project, paths, { path: 'kit/pibake.tar.gz', label: 'pibake itself', signal })
}

interface NpmLock {
  packages: Readonly<Record<string, { version?: string; dev?: boolean; devOptional?: boolean }>>
}

const notInstalled = (names: readonly string[]): PibakeError =>
  new PibakeError('MISSING_OFFLINE', `\`node_modules\` is not what \`package-lock.json\` says.`, {
    hint: 'Run `npm ci` in the checkout, or delete `node_modules` and run pibake again with a network.',
    details: names,
  })

/**
 * The npm packages that pibake needs to run, without those that only its tests do. Throws `MISSING_OFFLINE` when they are
 * not installed in the versions of the lock.
 */
export const packDependencies = async (project: Project, signal: AbortSignal): Promise<SourceFile> => {
  const lock = JSON.parse(await readFile(join(project.root, 'package-lock.json'), 'utf8')) as NpmLock
  const wanted = Object.entries(lock.packages)
    .filter(([place, { dev, devOptional }]) => place !== '' && !dev && !devOptional)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const wrong: string[] = []
  const paths: string[] = []
  for (const [place, { version }] of wanted) {
    const text = await readFile(join(project.root, place, 'package.json'), 'utf8').catch(() => '{}')
    if ((JSON.parse(text) as { version?: string }).version !== version) wrong.push(`${place} ${version}`)
    const isAnother = (path: string): boolean => path !== place && path.endsWith('/node_modules')
    paths.push(...(await walk(project.root, place, isAnother)))
  }
  if (wrong.length > 0) throw notInstalled(wrong)
  return archive(project, paths, { path: 'kit/node_modules.tar.gz', label: 'the npm dependencies', signal })
}

const noNode = (machine: string): PibakeError =>
  new PibakeError('MISSING_OFFLINE', `The Node for \`${machine}\` that pibake pins is not in this checkout.`, {
    hint: 'This machine has a Node 24 of its own, which may not run elsewhere. Run `PIBAKE_OWN_NODE=1 ./pibake --version` once with a network; that brings the pinned one.',
  })

/** The Node that the launcher brought for this machine. Throws `MISSING_OFFLINE` where it uses another. */
export const packNode = async (project: Project, signal: AbortSignal): Promise<SourceFile> => {
  const machine = process.arch
  const lock = await readFile(join(project.root, 'builder/host/node.lock'), 'utf8')
  const [, , pinned] = (lock.split('\n').find((line) => line.startsWith(`${machine} `)) ?? '').split(' ')
  const brought = await readFile(join(project.state, 'node/pibake-integrity'), 'utf8').catch(() => '')
  if (pinned === undefined || brought.trim() !== pinned) throw noNode(machine)
  const paths = ['bin/node', 'LICENSE', 'package.json', 'pibake-integrity'].map((path) => `.pibake/node/${path}`)
  return archive(project, paths, { path: `kit/node-${machine}.tar.gz`, label: `Node for ${machine}`, signal })
}
