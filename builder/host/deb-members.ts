import { type FileHandle, open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { PibakeError } from '../core/error.ts'
import { unpackXz } from './xz.ts'

/** Where a member of a Debian package lies in its file. */
export interface DebMember {
  /** `debian-binary`, `control.tar.xz`, `data.tar.xz` … */
  name: string
  offsetBytes: number
  sizeBytes: number
  /** When it was written, as its header says, in seconds since 1970. */
  modifiedSeconds: number
}

const globalHeader = '!<arch>\n'
const headerBytes = 60

/** What is wrong with a package file. */
export const brokenDeb = (path: string, reason: string): PibakeError =>
  new PibakeError('CACHE_CORRUPT', `\`${path}\` is not a Debian package: ${reason}.`, {
    hint: 'Remove the file (`pibake cache verify` does so for the cache), then fetch it again.',
  })

/** The members of a .deb, which is an ar archive: deb(5), ar(5). */
export const readDebMembers = async (path: string): Promise<DebMember[]> => {
  await using file = await open(path)
  const { size } = await file.stat()
  const start = await readBytes(file, 0, globalHeader.length)
  if (start.toString('latin1') !== globalHeader) throw brokenDeb(path, 'it does not begin as an ar archive')
  const members: DebMember[] = []
  let offset = globalHeader.length
  while (offset + headerBytes <= size) {
    const header = (await readBytes(file, offset, headerBytes)).toString('latin1')
    const sizeBytes = Number.parseInt(header.slice(48, 58), 10)
    if (header.slice(58) !== '`\n' || !Number.isSafeInteger(sizeBytes)) throw brokenDeb(path, 'a member has no header')
    const name = header.slice(0, 16).trimEnd().replace(/\/$/, '')
    const modifiedSeconds = Number.parseInt(header.slice(16, 28), 10) || 0
    members.push({ name, offsetBytes: offset + headerBytes, sizeBytes, modifiedSeconds })
    offset += headerBytes + sizeBytes + (sizeBytes % 2)
    if (offset - (sizeBytes % 2) > size) throw brokenDeb(path, `its member \`${name}\` is cut off`)
  }
  if (members[0]?.name !== 'debian-binary') throw brokenDeb(path, 'its first member is not `debian-binary`')
  return members
}

const readBytes = async (file: FileHandle, position: number, length: number): Promise<Buffer<ArrayBuffer>> => {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}

/** One of the two tar archives of a package, still packed. */
export interface PackedTar {
  /** How it is packed, as its name ends; empty for not at all. */
  compression: 'xz' | 'zst' | 'gz' | ''
  data: Buffer<ArrayBuffer>
}

/** Read `control.tar.*` or `data.tar.*` of a package into memory. */
export const readPackedTar = async (path: string, part: 'control' | 'data'): Promise<PackedTar> => {
  const member = (await readDebMembers(path)).find(({ name }) => name.startsWith(`${part}.tar`))
  if (!member) throw brokenDeb(path, `it has no \`${part}.tar\``)
  const compression = member.name.slice(`${part}.tar`.length).replace(/^\./, '')
  if (compression !== 'xz' && compression !== 'zst' && compression !== 'gz' && compression !== '') {
    throw brokenDeb(path, `\`${member.name}\` is packed in a way that pibake does not know`)
  }
  await using file = await open(path)
  return { compression, data: await readBytes(file, member.offsetBytes, member.sizeBytes) }
}

/** The bytes of a packed tar archive, unpacked without any program of the host. */
export const unpackTar = (packed: PackedTar): Readable => {
  const { compression, data } = packed
  if (compression === 'xz') return Readable.from(unpackXz(data))
  const whole = Readable.from([data])
  if (compression === 'zst') return whole.pipe(createZstdDecompress())
  if (compression === 'gz') return whole.pipe(createGunzip())
  return whole
}
