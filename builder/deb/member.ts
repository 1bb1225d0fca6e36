import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { Parser } from 'tar'
import { PibakeError } from '../core/error.ts'
import { type PackedTar, readPackedTar, unpackTar } from '../host/deb-members.ts'
import { collectContent } from './read-tar.ts'

/** How files begin: ar(1) of a .deb, xz, Zstandard (RFC 8878), gzip (RFC 1952). */
const beginnings: readonly [kind: PackedTar['compression'] | 'deb', bytes: Buffer][] = [
  ['deb', Buffer.from('!<arch>\n')],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ['zst', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['gz', Buffer.from([0x1f, 0x8b])],
]

/** Of POSIX tar: `ustar` in the header of the first file. */
const isTar = (content: Buffer): boolean => content.toString('latin1', 257, 262) === 'ustar'

/** What a file holds once it is unpacked, whatever its name says: a tar archive or one bare file. */
const unpack = async (path: string): Promise<Buffer> => {
  const data = await readFile(path)
  const kind = beginnings.find(([, bytes]) => data.subarray(0, bytes.length).equals(bytes))?.[0] ?? ''
  if (kind === '') return data
  return buffer(unpackTar(kind === 'deb' ? await readPackedTar(path, 'data') : { compression: kind, data }))
}

interface Member {
  path: string
  executable: boolean
  content: Buffer
}

/** The plain files of a tar archive that `isWanted`, and the paths of all. */
const readMembers = async (archive: Buffer, isWanted: (path: string) => boolean) => {
  const members: Member[] = []
  const paths: string[] = []
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      const path = entry.path.replace(/^(\.?\/)+/, '')
      const isFile = entry.type === 'File' || entry.type === 'OldFile'
      if (isFile) paths.push(path)
      if (!isFile || !isWanted(path)) {
        entry.resume()
        return
      }
      const executable = ((entry.mode ?? 0) & 0o111) !== 0
      collectContent(entry, (content) => members.push({ path, executable, content }))
    },
  })
  await pipeline(Readable.from([archive]), parser as unknown as NodeJS.WritableStream)
  return { members, paths }
}

/** The one file of an archive that `member` means: by its path, or by its name alone, programs before anything else. */
const pick = async (archive: Buffer, label: string, member: string): Promise<Buffer> => {
  const isPath = member.includes('/')
  const { members, paths } = await readMembers(archive, (path) =>
    isPath ? path === member : path === member || path.endsWith(`/${member}`),
  )
  const programs = members.filter(({ executable }) => executable)
  const [found, ...others] = programs.length > 0 ? programs : members
  if (found && others.length === 0) return found.content
  const several = [found, ...others].flatMap((candidate) => (candidate ? [candidate.path] : []))
  const shown = found ? several : paths
  throw new PibakeError(
    'CONFIG_INVALID',
    `The artifact \`${label}\` holds ${found ? `${several.length} files called` : 'no file'} \`${member}\`.`,
    {
      hint: 'Name the one to take by its path in the archive: `member:`.',
      details: shown.length > 20 ? [...shown.slice(0, 20), `… and ${shown.length - 20} more`] : shown,
    },
  )
}

const notUnpacked = (label: string, cause: unknown): PibakeError =>
  cause instanceof PibakeError && cause.code === 'CONFIG_INVALID'
    ? cause
    : new PibakeError('CONFIG_INVALID', `The artifact \`${label}\` cannot be unpacked.`, {
        hint: 'Check the file: a download that was cut off has a checksum too.',
        details: [cause instanceof Error ? cause.message : String(cause)],
        cause,
      })

/** How much of the paths is a folder that all of them lie in, with its slash. */
const commonFolder = (paths: readonly string[]): number => {
  const first = paths[0]?.slice(0, paths[0].indexOf('/') + 1) ?? ''
  return first !== '' && paths.every((path) => path.startsWith(first)) ? first.length : 0
}

/**
 * Write the plain files of an archive (of the kinds of `extractMember`) below `destination`, without the folder that all
 * of them lie in. Returns their paths below it. Throws `CONFIG_INVALID` for what is no archive, is damaged, holds no file, or
 * one with a path that leads elsewhere.
 */
export const extractAll = async (
  path: string,
  options: { label: string; destination: string },
): Promise<{ path: string; executable: boolean }[]> => {
  const { label, destination } = options
  const refuse = (reason: string, details: string[] = []) =>
    new PibakeError('CONFIG_INVALID', `The artifact \`${label}\` ${reason}.`, {
      hint: 'It has to be a tar archive, packed or not, or a .deb.',
      details,
    })
  const { members } = await unpack(path)
    .then((content) => {
      if (!isTar(content)) throw refuse('is no archive')
      return readMembers(content, () => true)
    })
    .catch((cause: unknown) => {
      throw notUnpacked(label, cause)
    })
  const strays = members.filter((member) => member.path.split('/').includes('..'))
  if (strays.length > 0)
    throw refuse(
      'holds files outside of itself',
      strays.map((member) => member.path),
    )
  if (members.length === 0) throw refuse('holds no file')
  const skip = commonFolder(members.map((member) => member.path))
  const files: { path: string; executable: boolean }[] = []
  for (const { path: full, executable, content } of members) {
    const inside = full.slice(skip)
    await mkdir(dirname(join(destination, inside)), { recursive: true })
    await writeFile(join(destination, inside), content)
    files.push({ path: inside, executable })
  }
  return files
}

/**
 * Write the file that `member` names to `destination`: out of a .deb (its data), a tar archive such as a .pkg.tar.zst,
 * packed by xz, Zstandard, gzip or not at all; or what is no archive as it is, unpacked. Throws `CONFIG_INVALID` when the archive
 * does not hold exactly one such file, or is damaged.
 */
export const extractMember = async (
  path: string,
  options: { label: string; member: string; destination: string },
): Promise<void> => {
  const { label, member, destination } = options
  const content = await unpack(path)
    .then((content) => (isTar(content) ? pick(content, label, member) : content))
    .catch((cause: unknown) => {
      throw notUnpacked(label, cause)
    })
  await writeFile(destination, content)
}
