import { Readable } from 'node:stream'
import xz from 'xz-decompress'

/**
 * The bytes of an xz stream, unpacked by WebAssembly: about 70 MB/s, and no program of the host is needed. A damaged
 * stream ends in a plain Error.
 */
export const unpackXz = async function* (data: Uint8Array<ArrayBuffer>): AsyncGenerator<Uint8Array> {
  yield* Readable.fromWeb(new xz.XzReadableStream(new Blob([data]).stream()))
}

/** All of an xz stream at once. */
export const unpackXzWhole = async (data: Uint8Array<ArrayBuffer>): Promise<Buffer> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of unpackXz(data)) chunks.push(Uint8Array.from(chunk))
  return Buffer.concat(chunks)
}
