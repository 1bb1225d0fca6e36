import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { errnoOf } from '../core/error.ts'
import type { NpmManifest } from './npm-prune.ts'

/** A command of a package. */
export interface NpmCommand {
  name: string
  /** Its file, relative to the package. */
  file: string
}

/**
 * The commands of a package as npm understands them: `bin` as a path (then named as the package without its scope) or as
 * a map, else every file of `directories.bin`; package.json(5). Names and paths cannot lead out of their folders.
 */
export const readCommands = async (folder: string, manifest: NpmManifest): Promise<NpmCommand[]> => {
  const { bin, name, directories } = manifest
  const own = typeof name === 'string' ? name : posix.basename(folder)
  if (typeof bin === 'string') return commandOf(own.slice(own.lastIndexOf('/') + 1), bin)
  if (bin !== null && typeof bin === 'object') {
    return Object.entries(bin).flatMap(([key, file]) => (typeof file === 'string' ? commandOf(key, file) : []))
  }
  if (directories === null || typeof directories !== 'object' || !('bin' in directories)) return []
  const inside = confine(String(directories.bin))
  const names = await readdir(join(folder, inside)).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return []
    throw error
  })
  return names.filter((file) => !file.startsWith('.')).flatMap((file) => commandOf(file, posix.join(inside, file)))
}

const confine = (path: string): string => posix.join('/', path.replaceAll('\\', '/')).slice(1)

const commandOf = (key: string, file: string): NpmCommand[] => {
  const name = posix.basename(confine(key))
  const inside = confine(file)
  return name === '' || inside === '' ? [] : [{ name, file: inside }]
}

/** The `.bin` folder that a package's commands go to, and the way from there to the package. */
export const binFolderOf = (path: string): { folder: string; back: string } => {
  const modules = path.slice(0, path.lastIndexOf('node_modules/') + 'node_modules'.length)
  return { folder: `${modules}/.bin`, back: posix.relative(`${modules}/.bin`, path) }
}

/** Undo a carriage return after `#!…`, as npm does: Linux would look for an interpreter of that name. */
export const mendFirstLine = async (file: string): Promise<void> => {
  const content = await readFile(file)
  const end = content.indexOf('\n')
  if (content.toString('latin1', 0, 2) !== '#!' || end < 1 || content[end - 1] !== 0x0d) return
  await writeFile(file, Buffer.concat([content.subarray(0, end - 1), content.subarray(end)]))
}
