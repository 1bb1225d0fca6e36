import type { FileHandle } from 'node:fs/promises'
import { getRawHeader } from '@electron/asar'
import { z } from 'zod'
import type { Sha256 } from '../core/digest.ts'
import { sha256Schema } from '../lock/schema.ts'
import {
  type BundleKind,
  type BundleLimits,
  inMebibytes,
  isItemPath,
  manifestPath,
  refuseBundle,
  showText,
} from './bundle.ts'

/** What of a kind of bundle the header is held against. */
type HeaderRules = Pick<BundleKind<never>, 'limits' | 'pathFault'>

/** A file as the header of an asar states it. */
export interface StoredFile {
  path: string
  /** Of its content in the file of the bundle, in bytes. */
  position: number
  sizeBytes: number
  executable: boolean
  sha256: Sha256
}

const storedFile = z.strictObject({
  size: z.int().nonnegative(),
  offset: z.string().regex(/^(0|[1-9][0-9]{0,14})$/, 'must be a number in a string'),
  executable: z.literal(true).optional(),
  integrity: z.strictObject({
    algorithm: z.literal('SHA256'),
    hash: sha256Schema,
    blockSize: z.int().positive(),
    blocks: z.array(sha256Schema),
  }),
})

/** `files` is looked through by hand: a record of zod's drops names such as `__proto__` without a word. */
const storedFolder = z.strictObject({ files: z.custom<object>(isPlainObject, 'must be an object') })

function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Size of the header in bytes. An asar begins with two pickles of Chromium (base/pickle.h, little-endian): the size of
 * the second one as uint32, then a string of JSON; each pickle begins with the size of its payload.
 */
const readHeaderSize = async (
  handle: FileHandle,
  options: { file: string; sizeBytes: number; limits: BundleLimits },
): Promise<number> => {
  const { file, sizeBytes, limits } = options
  const bytes = Buffer.alloc(16)
  const { bytesRead } = await handle.read(bytes, 0, 16, 0)
  if (bytesRead < 16) throw refuseBundle(file, 'is too short for an asar file')
  const headerSize = bytes.readUInt32LE(4)
  const textSize = bytes.readInt32LE(12)
  const isAsar = bytes.readUInt32LE(0) === 4 && bytes.readUInt32LE(8) === headerSize - 4
  if (!isAsar || textSize < 0) throw refuseBundle(file, 'is no asar file')
  if (headerSize > limits.headerBytes)
    throw refuseBundle(file, `has a header of more than ${inMebibytes(limits.headerBytes)}`)
  if (8 + headerSize > sizeBytes) throw refuseBundle(file, 'is cut off')
  if (Math.ceil(textSize / 4) * 4 !== headerSize - 8) throw refuseBundle(file, 'is no asar file')
  return headerSize
}

const readEntry = <T>(schema: z.ZodType<T>, value: unknown, file: string, path: string): T => {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const details = result.error.issues.map((issue) => `${issue.path.join('.') || '(entry)'}: ${issue.message}`)
  throw refuseBundle(file, `describes \`${showText(path)}\` in a way that asar does not know`, { details })
}

const walk = (root: unknown, options: { file: string; dataStart: number; rules: HeaderRules }): StoredFile[] => {
  const { file, dataStart, rules } = options
  const { limits, pathFault } = rules
  const found: StoredFile[] = []
  const waiting: { path: string; value: unknown }[] = [{ path: '', value: root }]
  let entries = 0
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { path, value } = next
    entries += 1
    if (entries > limits.entries) throw refuseBundle(file, `holds more than ${limits.entries} files`)
    if (typeof value === 'object' && value !== null) {
      if ('link' in value) throw refuseBundle(file, `holds a link, \`${showText(path)}\``)
      if ('unpacked' in value) throw refuseBundle(file, `keeps \`${showText(path)}\` outside of itself`)
    }
    if (path === '' || (typeof value === 'object' && value !== null && 'files' in value)) {
      for (const [name, child] of Object.entries(readEntry(storedFolder, value, file, path || '/').files)) {
        waiting.push({ path: path === '' ? name : `${path}/${name}`, value: child })
      }
      continue
    }
    const fault = path === manifestPath ? undefined : pathFault(path)
    if (fault !== undefined) throw refuseBundle(file, `holds a path that ${fault}: \`${showText(path)}\``)
    const { size, offset, executable, integrity } = readEntry(storedFile, value, file, path)
    const position = dataStart + Number(offset)
    found.push({ path, position, sizeBytes: size, executable: executable === true, sha256: integrity.hash })
  }
  return found
}

/** Every byte after the header belongs to a file; only files of equal content share theirs. */
const checkExtents = (
  files: readonly StoredFile[],
  options: { file: string; dataStart: number; endOfFile: number; limits: BundleLimits },
): void => {
  const { file, dataStart, endOfFile, limits } = options
  const counted = files.filter(({ path }) => !isItemPath(path))
  const total = counted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  if (total > limits.totalBytes) throw refuseBundle(file, `holds more than ${inMebibytes(limits.totalBytes)}`)
  const extents = new Map(files.filter(({ sizeBytes }) => sizeBytes > 0).map((stored) => [keyOf(stored), stored]))
  let end = dataStart
  for (const { position, sizeBytes, path } of [...extents.values()].sort((a, b) => a.position - b.position)) {
    if (position !== end) throw refuseBundle(file, `has a gap or an overlap before \`${showText(path)}\``)
    end = position + sizeBytes
  }
  if (end > endOfFile) throw refuseBundle(file, 'is cut off')
  if (end < endOfFile) throw refuseBundle(file, 'holds bytes that belong to no file')
}

const keyOf = ({ position, sizeBytes, sha256 }: StoredFile): string => `${position} ${sizeBytes} ${sha256}`

/**
 * The files of a bundle by their paths, from the header of an open asar, after every check that needs no content. Throws
 * `BUNDLE_INVALID`; `file` is the name it shows.
 */
export const readBundleHeader = async (
  handle: FileHandle,
  file: string,
  rules: HeaderRules,
): Promise<Map<string, StoredFile>> => {
  const { size: sizeBytes } = await handle.stat()
  const { limits } = rules
  const headerSize = await readHeaderSize(handle, { file, sizeBytes, limits })
  let root: unknown
  try {
    // By the open file: the name may mean another one by now. asar reads whatever size a header states: hence the bounds.
    root = getRawHeader(`/proc/self/fd/${handle.fd}`).header
  } catch (cause) {
    const details = [cause instanceof Error ? cause.message : String(cause)]
    throw refuseBundle(file, 'has a header that asar cannot read', { details, cause })
  }
  const dataStart = 8 + headerSize
  const files = walk(root, { file, dataStart, rules })
  checkExtents(files, { file, dataStart, endOfFile: sizeBytes, limits })
  return new Map(files.map((stored) => [stored.path, stored]))
}
