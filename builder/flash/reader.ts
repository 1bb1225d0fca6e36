import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { hashFile } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import type { Tools } from '../host/sandbox.ts'
import { readArchive } from '../image/archive.ts'
import type { ImageSource } from './source.ts'

/** Reads an image once, from its start to its end. */
export interface ImageReader extends AsyncDisposable {
  /**
   * Fill `into` from `position`, which is never before what was read already. Returns how many bytes there were; fewer
   * only where the image ends.
   */
  read(position: number, into: Uint8Array): Promise<number>
  /** Read what is left and hold the whole against its size and its checksums. Throws `IMAGE_INVALID`. */
  finish(): Promise<void>
}

export const wrongImage = (label: string, problem: string, details: readonly string[] = []): PibakeError =>
  new PibakeError('IMAGE_INVALID', `\`${label}\` ${problem}.`, {
    hint: 'Fetch or bake it again; what was written until now does not start.',
    details,
  })

/** Places in a file that is not compressed: what is not needed is not read. */
const readPlaces = async ({ path }: ImageSource): Promise<ImageReader> => {
  const file = await open(path, 'r')
  return {
    async read(position, into) {
      let filled = 0
      while (filled < into.length) {
        const { bytesRead } = await file.read(into, filled, into.length - filled, position + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return filled
    },
    finish: async () => undefined,
    [Symbol.asyncDispose]: () => file.close(),
  }
}

/** Everything in order, of an archive or where the whole has to be hashed. */
const readInOrder = (source: ImageSource, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): ImageReader => {
  const { label, path, sizeBytes, sha256, archiveSha256 } = source
  const iterator = chunks[Symbol.asyncIterator]()
  const whole = sha256 === undefined ? undefined : createHash('sha256')
  const archive = archiveSha256 === undefined ? undefined : hashFile(path, { signal })
  // Awaited at the end; until then it is no failure of its own.
  archive?.catch(() => undefined)
  let rest: Uint8Array = new Uint8Array()
  let position = 0
  /** The next bytes, at most `atMost` of them; undefined at the end. */
  const take = async (atMost: number): Promise<Uint8Array | undefined> => {
    while (rest.length === 0) {
      const next = await iterator.next()
      if (next.done === true) return undefined
      whole?.update(next.value)
      rest = next.value
    }
    const taken = rest.subarray(0, atMost)
    rest = rest.subarray(taken.length)
    position += taken.length
    return taken
  }
  const skipTo = async (end: number): Promise<void> => {
    while (position < end) if (!(await take(end - position))) return
  }
  return {
    async read(from, into) {
      await skipTo(from)
      let filled = 0
      while (filled < into.length) {
        const bytes = await take(into.length - filled)
        if (!bytes) break
        into.set(bytes, filled)
        filled += bytes.length
      }
      return filled
    },
    async finish() {
      await skipTo(Number.POSITIVE_INFINITY)
      if (sizeBytes !== undefined && position !== sizeBytes) {
        throw wrongImage(label, 'has another size than it should', [
          `has ${position} bytes`,
          `should have ${sizeBytes}`,
        ])
      }
      const found = whole?.digest('hex')
      if (found !== sha256) {
        throw wrongImage(label, 'is not what its checksum says', [`has ${found}`, `should have ${sha256}`])
      }
      if ((await archive) !== archiveSha256) throw wrongImage(label, 'is not what the checksum of its archive says')
    },
    [Symbol.asyncDispose]: async () => {
      await iterator.return?.()
    },
  }
}

/** Begin to read an image. */
export const openReader = async (
  source: ImageSource,
  { tools, signal }: { tools: () => Promise<Tools>; signal: AbortSignal },
): Promise<ImageReader> => {
  const { path, kind, label, sha256 } = source
  if (kind === 'image') {
    if (sha256 === undefined) return readPlaces(source)
    return readInOrder(source, createReadStream(path, { highWaterMark: 1 << 20, signal }), signal)
  }
  const unpacking = { tools: await tools(), label, onProgress: () => undefined, signal }
  return readInOrder(source, readArchive(path, kind, unpacking), signal)
}
