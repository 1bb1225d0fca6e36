import { createHash, subtle } from 'node:crypto'
import { asSha256, hashBytes, type Sha256 } from '../core/digest.ts'
import { type BlockRange, bmapBlockBytes, collectRanges, mapImage } from './mapped.ts'
import { openImage, readAt } from './table.ts'

/** Ranges are cut at 8 MiB, so that a writer can check one before it writes it, and hash several at a time. */
const pieceBlocks = 2048

export interface MappedRange extends BlockRange {
  sha256: Sha256
}

export interface ImageDigest {
  sizeBytes: number
  /** Of the whole image, holes included. */
  sha256: Sha256
  ranges: MappedRange[]
}

/**
 * The SHA-256 of an image and of each mapped range of it, in one pass.
 * `unmapped: 'zero'` is for a file just written into holes: what is not mapped is then known to be zeros and is not read.
 */
export const digestImage = async (
  path: string,
  options: {
    unmapped: 'zero' | 'read'
    onProgress?: (doneBytes: number, totalBytes: number) => void
    signal?: AbortSignal
  },
): Promise<ImageDigest> => {
  const ranges = collectRanges(await mapImage(path), pieceBlocks)
  await using file = await openImage(path)
  const { size: sizeBytes } = await file.stat()
  const whole = createHash('sha256')
  const zeros = Buffer.alloc(pieceBlocks * bmapBlockBytes)
  let position = 0
  const skipTo = async (end: number): Promise<void> => {
    while (position < end) {
      const length = Math.min(end - position, zeros.length)
      const bytes = options.unmapped === 'zero' ? zeros.subarray(0, length) : await readAt(file, position, length)
      if (!bytes) throw new Error(`\`${path}\` shrank while it was read`)
      whole.update(bytes)
      position += length
    }
  }
  const digests: Promise<ArrayBuffer>[] = []
  for (const { first, last } of ranges) {
    options.signal?.throwIfAborted()
    await skipTo(first * bmapBlockBytes)
    const bytes = await readAt(file, position, Math.min((last + 1) * bmapBlockBytes, sizeBytes) - position)
    if (!bytes) throw new Error(`\`${path}\` shrank while it was read`)
    // The digest of the range runs on another thread, beside the one of the whole.
    digests.push(subtle.digest('SHA-256', bytes))
    whole.update(bytes)
    position += bytes.length
    await digests.at(-2)
    options.onProgress?.(position, sizeBytes)
  }
  await skipTo(sizeBytes)
  const sums = await Promise.all(digests)
  return {
    sizeBytes,
    sha256: asSha256(whole.digest('hex')),
    ranges: ranges.map((range, index) => ({
      ...range,
      sha256: asSha256(Buffer.from(sums[index] ?? new ArrayBuffer()).toString('hex')),
    })),
  }
}

const chksumPlaceholder = '0'.repeat(64)

/**
 * The text of a block map file, version 2.0, as bmaptool writes and reads it. Its own checksum is taken over the text
 * with zeros in its place (bmaptool's `BmapCreate.py`).
 */
export const renderBmap = ({ sizeBytes, ranges }: Pick<ImageDigest, 'sizeBytes' | 'ranges'>): string => {
  const blocks = Math.ceil(sizeBytes / bmapBlockBytes)
  const mappedBlocks = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  const lines = ranges.map(
    ({ first, last, sha256 }) =>
      `        <Range chksum="${sha256}"> ${first === last ? first : `${first}-${last}`} </Range>\n`,
  )
  const text = `<?xml version="1.0" ?>
<bmap version="2.0">
    <ImageSize> ${sizeBytes} </ImageSize>
    <BlockSize> ${bmapBlockBytes} </BlockSize>
    <BlocksCount> ${blocks} </BlocksCount>
    <MappedBlocksCount> ${mappedBlocks} </MappedBlocksCount>
    <ChecksumType> sha256 </ChecksumType>
    <BmapFileChecksum> ${chksumPlaceholder} </BmapFileChecksum>
    <BlockMap>
${lines.join('')}    </BlockMap>
</bmap>
`
  return text.replace(chksumPlaceholder, hashBytes(text))
}
