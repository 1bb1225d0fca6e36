import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { SourceFile } from './source-file.ts'

const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants

/** A file to write, which is never a link to somewhere else. */
const openNew = (path: string): Promise<FileHandle> => open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o644)

const writeAll = async (handle: FileHandle, chunk: Uint8Array): Promise<void> => {
  for (let offset = 0; offset < chunk.byteLength; ) offset += (await handle.write(chunk, offset)).bytesWritten
}

const changedSource = ({ label, source }: SourceFile): PibakeError =>
  new PibakeError('CACHE_CORRUPT', `\`${label}\` (\`${source}\`) is damaged, or changed while it was copied.`, {
    hint: 'Run `pibake cache verify`, or `pibake kit verify` where it comes from a kit; then the same command again.',
  })

/** The bytes of a source. What fails here is not the stick's fault: `CACHE_CORRUPT`. */
const readSource = async function* ({ label, source }: SourceFile, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(source, { highWaterMark: 1 << 20, signal })) yield chunk as Uint8Array
  } catch (cause) {
    signal.throwIfAborted()
    throw new PibakeError(
      'CACHE_CORRUPT',
      `\`${label}\` cannot be read (\`${source}\`, ${errnoOf(cause) ?? 'no reason given'}).`,
      {
        hint: 'Is what it is copied from still there? `pibake cache verify` and `pibake kit verify` read everything.',
        cause,
      },
    )
  }
}

/** Write a small file and have it on the disk. */
export const writeNow = async (path: string, text: string): Promise<void> => {
  await using handle = await openNew(path)
  await handle.writeFile(text)
  await handle.sync()
}

/**
 * Copy a file to `temporary`, checked on the way, and give it its place below `folder` when the disk has all of it.
 * Throws `CACHE_CORRUPT` for a source that is not what it should be, or cannot be read.
 */
export const copyChecked = async (
  folder: string,
  file: SourceFile,
  options: { temporary: string; onBytes: (count: number) => void; signal: AbortSignal },
): Promise<void> => {
  const { temporary, onBytes, signal } = options
  const hash = createHash('sha256')
  {
    await using handle = await openNew(temporary)
    for await (const bytes of readSource(file, signal)) {
      hash.update(bytes)
      await writeAll(handle, bytes)
      onBytes(bytes.byteLength)
    }
    if (hash.digest('hex') !== file.sha256) throw changedSource(file)
    await handle.sync()
  }
  const destination = join(folder, file.path)
  await mkdir(dirname(destination), { recursive: true })
  await rename(temporary, destination)
}
