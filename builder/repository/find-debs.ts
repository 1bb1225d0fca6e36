import { lstat, readdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { hashFile, type Sha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import { readControl } from '../deb/archive.ts'
import type { Stanza } from '../deb/deb822.ts'
import { readDebMembers } from '../host/deb-members.ts'
import { assertControl } from './check-control.ts'

/** A package that is to go into a repository. */
export interface IncomingDeb {
  /** Absolute path of its file. */
  source: string
  stanza: Stanza
  sizeBytes: number
  sha256: Sha256
  /** Who brings it. */
  from: string
  /** When it was built, as its file says, in seconds since 1970. */
  builtSeconds: number
}

const deepest = 12

/** The packages below a folder. Links are not followed: a stick of strangers leads nowhere but into itself. */
const listDebs = async (folder: string, depth = 0): Promise<string[]> => {
  if (depth > deepest) return []
  const found: string[] = []
  for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name)
    if (entry.isFile() && entry.name.endsWith('.deb')) found.push(path)
    else if (entry.isDirectory()) found.push(...(await listDebs(path, depth + 1)))
  }
  return found
}

const notThere = (path: string, what: string): PibakeError =>
  new PibakeError('USAGE', `\`${path}\` ${what}.`, {
    hint: 'Name a `.deb`, or a folder that has some in it: of a stick, or another repository.',
  })

/** The files that `--add` means, and what the one who brings them is called. */
const filesOf = async (given: string): Promise<{ from: string; files: string[] }> => {
  const path = resolve(given)
  const status = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') throw notThere(given, 'is not there')
    throw error
  })
  const from = basename(path)
  if (status.isFile() && path.endsWith('.deb')) return { from, files: [path] }
  if (!status.isDirectory()) throw notThere(given, 'is neither a folder nor a `.deb`')
  const files = await listDebs(path)
  if (files.length === 0) throw notThere(given, 'has no `.deb` in it')
  return { from, files }
}

/** A time that a package states, as far as it can be: an index from the future is refused by every apt. */
const pastSeconds = (seconds: number): number => Math.max(0, Math.min(seconds, Math.floor(Date.now() / 1000)))

/** Read a package that somebody brings, all of its control data checked. Throws `CONFIG_INVALID`. */
const readIncoming = async (source: string, from: string, signal?: AbortSignal): Promise<IncomingDeb> => {
  const stanza = await readControl(source).catch((cause: unknown) => {
    if (!(cause instanceof PibakeError)) throw cause
    throw new PibakeError('CONFIG_INVALID', `\`${source}\` is no Debian package.`, {
      hint: 'Ask for it again where it came from; it may have been cut off on the way.',
      details: [cause.message],
      cause,
    })
  })
  assertControl(source, stanza)
  const members = await readDebMembers(source)
  const control = members.find(({ name }) => name.startsWith('control.tar'))
  const { size: sizeBytes } = await lstat(source)
  const sha256 = await hashFile(source, signal ? { signal } : {})
  const builtSeconds = pastSeconds(control?.modifiedSeconds ?? 0)
  return { source, stanza, sizeBytes, sha256, from, builtSeconds }
}

/** The packages that are to be added, by files and folders. Throws `USAGE` for what has none, `CONFIG_INVALID`. */
export const findIncoming = async (given: readonly string[], signal?: AbortSignal): Promise<IncomingDeb[]> => {
  const found: IncomingDeb[] = []
  for (const item of given) {
    const { from, files } = await filesOf(item)
    for (const file of files) found.push(await readIncoming(file, from, signal))
  }
  return found
}
