import type { Buffers } from './buffers.ts'
import type { ExtentDigests } from './extent-digests.ts'
import { type ImageReader, wrongImage } from './reader.ts'
import { extentsOf, type ImageSource } from './source.ts'
import { cutWindows, headBytes, type Span, windowBytes } from './windows.ts'

/** Bytes of the image that are in the shared memory. */
export interface Loaded {
  /** Where its window is in the shared memory: to be released when all drives have it. */
  slot: number
  /** What is to be written; `offset` is in the shared memory, all lengths are whole sectors. */
  writes: { offset: number; length: number; position: number }[]
}

const sector = 512

/** Hold back the head of the image; returns the spans that remain to be written now. */
const holdHead = (spans: readonly Span[], slot: number, { bytes, headOffset }: Buffers): Span[] => {
  bytes.copyWithin(headOffset, slot, slot + headBytes)
  return spans.flatMap(({ startBytes, endBytes }) =>
    endBytes <= headBytes ? [] : [{ startBytes: Math.max(startBytes, headBytes), endBytes }],
  )
}

const assertDisk = (source: ImageSource, window: Uint8Array): void => {
  if (window[510] === 0x55 && window[511] === 0xaa) return
  throw wrongImage(source.label, 'is not a disk image: it has no partition table')
}

/**
 * Read an image once, window after window, in memory that `buffers` gives; what is read is hashed on the way. Its first MiB
 * is put aside in `buffers` and is in no window. The first window comes only when the image begins as a disk does. Throws
 * `IMAGE_INVALID`; when it is through, the whole was held against its checksums.
 */
export const loadImage = async function* (
  source: ImageSource,
  { reader, buffers, digests }: { reader: ImageReader; buffers: Buffers; digests: ExtentDigests },
): AsyncGenerator<Loaded> {
  const { bytes } = buffers
  let isFirst = true
  let isOver = false
  for (const window of cutWindows(extentsOf(source))) {
    const slot = await buffers.acquire()
    let spans: Span[] = []
    bytes.fill(0, slot, slot + (window.startBytes === 0 ? headBytes : 0))
    for (const { startBytes, endBytes } of window.spans) {
      const at = slot + startBytes - window.startBytes
      const wanted = endBytes - startBytes
      const length = await reader.read(startBytes, bytes.subarray(at, at + wanted))
      digests.take(startBytes, bytes.subarray(at, at + length))
      bytes.fill(0, at + length, Math.min(slot + windowBytes, at + Math.ceil(length / sector) * sector))
      if (length > 0) spans.push({ startBytes, endBytes: startBytes + length })
      isOver = length < wanted
      if (isOver) break
    }
    if (isOver && source.sizeBytes !== undefined) throw wrongImage(source.label, 'is cut off')
    if (isFirst) {
      assertDisk(source, window.startBytes === 0 ? bytes.subarray(slot, slot + sector) : new Uint8Array())
      spans = holdHead(spans, slot, buffers)
      isFirst = false
    }
    const writes = spans.map(({ startBytes, endBytes }) => ({
      offset: slot + startBytes - window.startBytes,
      length: Math.ceil((endBytes - startBytes) / sector) * sector,
      position: startBytes,
    }))
    yield { slot, writes }
    if (isOver) break
  }
  digests.end()
  await reader.finish()
}
