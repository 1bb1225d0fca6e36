import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { hashFile } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Project } from '../core/project.ts'
import { listContent } from '../profile/content.ts'
import type { BundleFile } from './bundle.ts'
import { installedByHand } from './bundle-content.ts'
import { partOf } from './bundle-path.ts'
import type { Manifest } from './profile-bundle.ts'

/** What an import would do to one file. */
export interface Change {
  path: string
  /** `extra`: a file of one of its stages that the bundle does not have; taken away, so that the stage is the same here. */
  state: 'new' | 'same' | 'differs' | 'extra'
}

const statOf = async (path: string) => {
  try {
    return await lstat(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

const inTheWay = (path: string, what: string): PibakeError =>
  new PibakeError('BUNDLE_DIFFERS', `\`${path}\` of this checkout is ${what}; nothing is written there.`, {
    hint: 'Move it away, then run the same command again.',
  })

/**
 * See that every folder on the way to `path` is a real one, as far as it is there, and whether all are. Throws
 * `BUNDLE_DIFFERS` for a symbolic link or a file in its place.
 */
export const checkWay = async (project: Project, path: string): Promise<boolean> => {
  const names = path.split('/').slice(0, -1)
  for (const [index] of names.entries()) {
    const folder = names.slice(0, index + 1).join('/')
    const stats = await statOf(join(project.root, folder))
    if (stats === undefined) return false
    if (stats.isSymbolicLink()) throw inTheWay(folder, 'a symbolic link')
    if (!stats.isDirectory()) throw inTheWay(folder, 'not a folder')
  }
  return true
}

const changeOf = async (project: Project, { path, mode, sizeBytes, sha256 }: BundleFile): Promise<Change> => {
  if (!(await checkWay(project, path))) return { path, state: 'new' }
  const target = join(project.root, path)
  const stats = await statOf(target)
  if (stats === undefined) return { path, state: 'new' }
  if (stats.isSymbolicLink()) throw inTheWay(path, 'a symbolic link')
  if (!stats.isFile()) throw inTheWay(path, 'not a file')
  const isExecutable = (stats.mode & 0o100) !== 0
  const isSame = stats.size === sizeBytes && isExecutable === (mode === '0755') && (await hashFile(target)) === sha256
  return { path, state: isSame ? 'same' : 'differs' }
}

const extrasIn = async (project: Project, folder: string, known: ReadonlySet<string>): Promise<Change[]> => {
  if (!(await checkWay(project, `${folder}/`))) return []
  const content = await listContent(join(project.root, folder), { skip: installedByHand })
  return content
    .map(({ path }) => `${folder}/${path}`)
    .filter((path) => !known.has(path))
    .map((path) => ({ path, state: 'extra' }))
}

/** What an import would do to the checkout, sorted by path. Throws `BUNDLE_DIFFERS` for links in the way. */
export const findChanges = async (project: Project, { files }: Manifest): Promise<Change[]> => {
  const known = new Set(files.map(({ path }) => path))
  const stages = new Set(
    files.map(({ path }) => partOf(path)).flatMap((part) => (part?.kind === 'stage' ? [part.name] : [])),
  )
  const changes: Change[] = []
  for (const file of files) changes.push(await changeOf(project, file))
  for (const stage of stages) {
    for (const folder of [`stages/${stage}`, `overlays/${stage}`])
      changes.push(...(await extrasIn(project, folder, known)))
  }
  return changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
}
