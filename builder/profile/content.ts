import { lstat, readdir, readFile, readlink, realpath, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { hashBytes, hashJson, type Json, type Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import type { Stage, StageSettings } from './schema.ts'

/** One file or symbolic link below a folder. Folders count only through what they hold, as in git. */
export type ContentEntry =
  /** `path` is relative, with `/`; `source` is absolute. */
  { kind: 'file'; path: string; source: string; executable: boolean } | { kind: 'link'; path: string; target: string }

const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)

/** Whether a link leads out of the folder: no place on an image, but a file that this stage shares with another. */
const leadsOut = (folder: string, source: string, target: string): boolean =>
  !isAbsolute(target) && relative(folder, resolve(dirname(source), target)).split('/')[0] === '..'

/** The file of another stage that a link stands for. Throws `CONFIG_INVALID` when it is none. */
const readShared = async (path: string, link: string): Promise<ContentEntry> => {
  const source = await realpath(link).catch(() => link)
  const stats = await stat(link).catch(() => undefined)
  if (stats?.isFile()) return { kind: 'file', path, source, executable: (stats.mode & 0o100) !== 0 }
  throw new PibakeError('CONFIG_INVALID', `The link \`${link}\` leads out of its stage, and to no file.`, {
    hint: 'A link out of a stage stands for a file that it shares with another; let it lead to one.',
  })
}

/**
 * All files and symbolic links below `folder`, sorted by path, without the ones whose relative path `skip` names. A link
 * that leads out of the folder stands for the file that it leads to. Throws `CONFIG_INVALID` for sockets, pipes and
 * device nodes.
 */
export const listContent = async (
  folder: string,
  options: { skip?: ReadonlySet<string> } = {},
): Promise<ContentEntry[]> => {
  const walk = async (inside: string): Promise<ContentEntry[]> => {
    const names = await readdir(join(folder, inside))
    const lists = await Promise.all(
      names.map(async (name): Promise<ContentEntry[]> => {
        const path = inside === '' ? name : `${inside}/${name}`
        if (options.skip?.has(path)) return []
        const source = join(folder, path)
        const stats = await lstat(source)
        if (stats.isDirectory()) return walk(path)
        if (stats.isSymbolicLink()) {
          const target = await readlink(source)
          return [leadsOut(folder, source, target) ? await readShared(path, source) : { kind: 'link', path, target }]
        }
        if (stats.isFile()) return [{ kind: 'file', path, source, executable: (stats.mode & 0o100) !== 0 }]
        throw new PibakeError('CONFIG_INVALID', `\`${source}\` is neither a file nor a folder nor a symbolic link.`, {
          hint: 'A package cannot carry sockets, pipes or device nodes; make it at first boot instead.',
        })
      }),
    )
    return lists.flat()
  }
  return (await walk('')).sort(byPath)
}

/** What lies below a folder, without the paths that `skip` names, as a value to be hashed. */
export const describeFolder = async (folder: string, skip: ReadonlySet<string>): Promise<Json> => {
  const entries = await listContent(folder, { skip })
  return Promise.all(
    entries.map(
      async (entry): Promise<Json> =>
        entry.kind === 'link'
          ? [entry.path, 'link', entry.target]
          : [entry.path, entry.executable ? 'executable' : 'file', hashBytes(await readFile(entry.source))],
    ),
  )
}

/** What lies in a stage's folder but is no part of the stage: its README, and what `npm install` leaves by hand. */
const outsideStage: ReadonlySet<string> = new Set(['README.md', 'npm/node_modules'])

/**
 * Digest of a stage with its settings: relative paths, executable bits, link targets and bytes of `stages/<name>/`
 * (without README.md) and `overlays/<name>/`. Times, owners, umask, location and listing order have no part in it.
 */
export const stageDigest = async (stage: Stage, settings: StageSettings): Promise<Sha256> =>
  hashJson({
    stage: await describeFolder(stage.folder, outsideStage),
    overlay: stage.overlay === undefined ? null : await describeFolder(stage.overlay, new Set()),
    npm: stage.npm,
    settings,
  })
