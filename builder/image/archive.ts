import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { crc32, createInflateRaw } from 'node:zlib'
import { PibakeError } from '../core/error.ts'
import { spawnTool, type Tools } from '../host/sandbox.ts'
import { writeSparse } from './sparse.ts'
import { invalidImage, openImage } from './table.ts'
import { findZippedImage } from './zip.ts'

/** What a file is by its first bytes; `image` is everything that is not compressed in a way that is known here. */
export type ArchiveKind = 'image' | 'xz' | 'gz' | 'zst' | 'zip'

const magics: readonly [kind: ArchiveKind, magic: string][] = [
  ['xz', 'fd377a585a00'],
  ['gz', '1f8b'],
  ['zst', '28b52ffd'],
  ['zip', '504b0304'],
]

/** Tell by the content, not by the name: a file of the cache has none. */
const archiveKindOf = (head: Buffer): ArchiveKind => {
  const hex = head.toString('hex', 0, 8)
  // Archives of pzstd begin with a skippable frame (RFC 8878, section 3.1.2).
  if (/^5.2a4d18/.test(hex)) return 'zst'
  return magics.find(([, magic]) => hex.startsWith(magic))?.[0] ?? 'image'
}

/** As `archiveKindOf`, of a file. Throws `IMAGE_INVALID` when it cannot be opened, is a folder or is empty. */
export const readArchiveKind = async (path: string): Promise<ArchiveKind> => {
  await using file = await openImage(path)
  const status = await file.stat()
  if (status.isDirectory()) throw invalidImage(path, 'is a folder, not an image')
  if (status.isFile() && status.size === 0) throw invalidImage(path, 'is empty')
  const head = Buffer.alloc(8)
  await file.read(head, 0, head.length, 0)
  return archiveKindOf(head)
}

/** Programs that unpack standard input to standard output; xz on all processors where the archive has blocks for it. */
const unpackers: Readonly<Record<'xz' | 'gz' | 'zst', readonly string[]>> = {
  xz: ['xz', '--decompress', '--stdout', '--threads=0', '--quiet'],
  gz: ['gzip', '--decompress', '--stdout', '--quiet'],
  zst: ['zstd', '--decompress', '--stdout', '--long=31', '--quiet'],
}

export interface UnpackOptions {
  tools: Tools
  /** What errors call the archive. */
  label: string
  /** Called with how many bytes of the archive are done. */
  onProgress: (doneBytes: number, totalBytes: number) => void
  signal: AbortSignal
}

const damaged = (label: string, reason: string, cause?: unknown): PibakeError =>
  new PibakeError('IMAGE_INVALID', `\`${label}\` is damaged or cut off: ${reason}.`, {
    hint: 'Fetch it again, and compare its size and SHA-256 with those that its maker publishes.',
    cause,
  })

/** Read `path` from `start` for `length` bytes, saying how far it is. */
const readCounted = async function* (
  path: string,
  { start, length }: { start: number; length: number },
  onProgress: UnpackOptions['onProgress'],
): AsyncGenerator<Buffer> {
  if (length === 0) return
  let done = 0
  for await (const chunk of createReadStream(path, { start, end: start + length - 1, highWaterMark: 1 << 18 })) {
    done += (chunk as Buffer).length
    yield chunk as Buffer
    onProgress(done, length)
  }
}

const unpackWithTool = async function* (
  path: string,
  kind: keyof typeof unpackers,
  { tools, label, onProgress, signal }: UnpackOptions,
): AsyncGenerator<Uint8Array> {
  const [program = '', ...args] = unpackers[kind]
  const { size } = await stat(path)
  const unpacker = spawnTool(tools, [program, ...args], { signal })
  const said = text(unpacker.stderr)
  // An unpacker that has ended takes no more; its status says why.
  const fed = pipeline(readCounted(path, { start: 0, length: size }, onProgress), unpacker.stdin).catch(() => undefined)
  try {
    yield* unpacker.stdout as AsyncIterable<Buffer>
  } finally {
    // Of no effect on one that has come to its end; whoever stops reading earlier wants no more.
    if (!unpacker.stdout.readableEnded) unpacker.kill('SIGKILL')
    await fed
  }
  const { exitCode } = await unpacker
  signal.throwIfAborted()
  const [reason = ''] = (await said).trim().split('\n')
  if (exitCode !== 0) throw damaged(label, reason === '' ? `${program} cannot unpack it` : reason.replace(/\.$/, ''))
}

const inflate = async function* (packed: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  const inflater = createInflateRaw()
  // Whatever ends it ends the reading as well, which says why.
  const fed = pipeline(packed, inflater).catch(() => undefined)
  try {
    yield* inflater as AsyncIterable<Buffer>
  } finally {
    await fed
  }
}

const isZlibError = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && /^Z_/.test(String(error.code))

const unpackZip = async function* (path: string, options: UnpackOptions): AsyncGenerator<Uint8Array> {
  const { label, onProgress, signal } = options
  const { isDeflated, dataOffset, compressedBytes, ...expected } = await findZippedImage(path)
  const packed = readCounted(path, { start: dataOffset, length: compressedBytes }, onProgress)
  let checksum = 0
  let sizeBytes = 0
  try {
    for await (const chunk of isDeflated ? inflate(packed) : packed) {
      signal.throwIfAborted()
      checksum = crc32(chunk, checksum)
      sizeBytes += chunk.length
      yield chunk
    }
  } catch (error) {
    throw isZlibError(error) ? damaged(label, error.message, error) : error
  }
  if (sizeBytes !== expected.sizeBytes || checksum !== expected.crc32) {
    throw damaged(label, `the checksum of \`${expected.name}\` in it is wrong`)
  }
}

/**
 * The image in an archive, in pieces as they come. Throws `IMAGE_INVALID` naming `label`, after the last piece at the
 * latest, for an archive that is cut off or damaged.
 */
export const readArchive = (
  path: string,
  kind: Exclude<ArchiveKind, 'image'>,
  options: UnpackOptions,
): AsyncGenerator<Uint8Array> => (kind === 'zip' ? unpackZip(path, options) : unpackWithTool(path, kind, options))

/**
 * Unpack the image in an archive into a new sparse file. Throws `IMAGE_INVALID` naming `label` for an archive that is cut
 * off or damaged; the half-written file is the caller's to remove.
 */
export const unpackArchive = async (
  path: string,
  kind: Exclude<ArchiveKind, 'image'>,
  destination: string,
  options: UnpackOptions,
): Promise<void> => {
  await writeSparse(destination, readArchive(path, kind, options))
}
