import { createHash, type Hash } from 'node:crypto'
import type { BmapExtent } from '../image/read-bmap.ts'
import { wrongImage } from './reader.ts'
import { extentsOf, type ImageSource } from './source.ts'
import type { Span } from './windows.ts'

/** What a card must give back. */
export interface Check extends Span {
  digest: string
}

/** Hashes the extents of an image while it is read. */
export interface ExtentDigests {
  /** The extents so far, in order. */
  checks: readonly Check[]
  /** The next bytes that were read, which begin at `position`. Throws `IMAGE_INVALID` for those of another image. */
  take(position: number, bytes: Uint8Array): void
  /** The image ended within an extent, as it may when its size was not known. */
  end(): void
}

export const startDigests = (source: ImageSource): ExtentDigests => {
  const { algorithm, label } = source
  const extents = extentsOf(source)
  const checks: Check[] = []
  const nextExtent = (): BmapExtent | undefined => extents.next().value as BmapExtent | undefined
  let extent = nextExtent()
  let hash: Hash | undefined
  let hashedTo = 0
  const close = ({ startBytes, checksum }: BmapExtent, endBytes: number): void => {
    const digest = hash?.digest('hex') ?? ''
    hash = undefined
    if (checksum !== undefined && checksum !== digest) {
      const details = [`bytes ${startBytes} to ${endBytes}: ${digest}`, `block map: ${checksum}`]
      throw wrongImage(label, 'is not the image that its block map is of', details)
    }
    checks.push({ startBytes, endBytes, digest })
  }
  return {
    checks,
    take(position, bytes) {
      const readTo = position + bytes.length
      while (extent && extent.startBytes < readTo) {
        hash ??= createHash(algorithm)
        const from = Math.max(extent.startBytes, position)
        hashedTo = Math.min(extent.endBytes, readTo)
        hash.update(bytes.subarray(from - position, hashedTo - position))
        if (extent.endBytes > readTo) return
        close(extent, extent.endBytes)
        extent = nextExtent()
      }
    },
    end() {
      if (extent && hash) close(extent, hashedTo)
    },
  }
}
