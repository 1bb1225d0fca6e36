import { open } from 'node:fs/promises'

const bufferBytes = 1 << 20
/** Runs of zeros shorter than this are written: many small holes are slower to read than they save. */
const pieceBytes = 64 << 10
const zeros = Buffer.alloc(pieceBytes)

/**
 * Write a new file from chunks of any size, with holes for zeros. Returns its size in bytes. Throws what the file system
 * and the chunks throw; what was written until then stays for the caller to remove.
 */
export const writeSparse = async (path: string, chunks: AsyncIterable<Uint8Array>): Promise<number> => {
  await using file = await open(path, 'wx')
  const buffer = Buffer.alloc(bufferBytes)
  let filled = 0
  let position = 0
  const writeRun = async (first: number, end: number): Promise<void> => {
    for (let at = first; at < end; ) at += (await file.write(buffer, at, end - at, position + at)).bytesWritten
  }
  const flush = async (): Promise<void> => {
    let first = 0
    for (let at = 0; at < filled; at += pieceBytes) {
      const piece = buffer.subarray(at, Math.min(at + pieceBytes, filled))
      if (!piece.equals(zeros.subarray(0, piece.length))) continue
      await writeRun(first, at)
      first = at + piece.length
    }
    await writeRun(first, filled)
    position += filled
    filled = 0
  }
  for await (const chunk of chunks) {
    for (let done = 0; done < chunk.length; ) {
      const part = chunk.subarray(done, done + bufferBytes - filled)
      buffer.set(part, filled)
      filled += part.length
      done += part.length
      if (filled === bufferBytes) await flush()
    }
  }
  await flush()
  await file.truncate(position)
  return position
}
