import { createHash } from 'node:crypto'
import { PibakeError } from '../core/error.ts'

/** Checksums that block maps carry; the names are those of both bmaptool and OpenSSL. */
const bmapAlgorithms = ['sha1', 'sha256', 'sha512'] as const
export type BmapAlgorithm = (typeof bmapAlgorithms)[number]

/** Bytes of an image that a card must hold, with the checksum of just these. */
export interface BmapExtent {
  startBytes: number
  /** Behind the last byte. */
  endBytes: number
  /** Lower-case hexadecimal digits; undefined in maps of versions that have none. */
  checksum: string | undefined
}

export interface Bmap {
  sizeBytes: number
  algorithm: BmapAlgorithm
  /** In ascending order, none overlapping. */
  extents: BmapExtent[]
}

const fieldOf = (text: string, name: string): string | undefined =>
  new RegExp(`<${name}>\\s*([^<]*?)\\s*</${name}>`).exec(text)?.[1]

const isAlgorithm = (name: string): name is BmapAlgorithm => (bmapAlgorithms as readonly string[]).includes(name)

/** The map's own checksum is taken over the text with zeros in its place (bmaptool's `BmapCopy.py`). */
const ownChecksumFits = (text: string, algorithm: BmapAlgorithm): boolean => {
  const stated = fieldOf(text, 'BmapFileChecksum') ?? fieldOf(text, 'BmapFileSHA1')
  if (stated === undefined) return true
  const zeroed = text.replace(stated, '0'.repeat(stated.length))
  return createHash(algorithm).update(zeroed).digest('hex') === stated.toLowerCase()
}

const rangePattern = /<Range((?:\s+[\w-]+="[^"]*")*)\s*>\s*(\d+)(?:\s*-\s*(\d+))?\s*<\/Range>/g

/**
 * Read a block map as bmaptool writes it, versions 1.3 to 2.0 (1.3 has SHA-1, 1.4 and 2.0 name their algorithm). Throws
 * `IMAGE_INVALID` naming `label` for one that is damaged, of another version, or at odds with itself.
 */
export const parseBmap = (text: string, label: string): Bmap => {
  const refuse = (problem: string): PibakeError =>
    new PibakeError('IMAGE_INVALID', `The block map \`${label}\` ${problem}.`, {
      hint: 'Fetch or make it anew together with its image, or take it away: without one, more is written than needed.',
    })
  const version = /<bmap\s+version="(\d+)\.(\d+)"/.exec(text)
  if (!version) throw refuse('is no block map')
  const [, major, minor] = version
  if (Number(major) > 2 || (major === '1' && Number(minor) < 3)) {
    throw refuse(`has version ${major}.${minor}, which is not known here`)
  }
  const algorithm = fieldOf(text, 'ChecksumType') ?? 'sha1'
  if (!isAlgorithm(algorithm)) throw refuse(`has checksums of the kind \`${algorithm}\`, which is not known here`)
  if (!ownChecksumFits(text, algorithm)) throw refuse('is damaged: its own checksum is wrong')
  const numberOf = (name: string): number => {
    const value = fieldOf(text, name)
    if (value === undefined || !/^\d+$/.test(value)) throw refuse(`lacks \`${name}\``)
    return Number(value)
  }
  const sizeBytes = numberOf('ImageSize')
  const blockBytes = numberOf('BlockSize')
  if (blockBytes === 0 || blockBytes % 512 !== 0) throw refuse(`has blocks of ${blockBytes} bytes`)
  if (numberOf('BlocksCount') !== Math.ceil(sizeBytes / blockBytes))
    throw refuse('counts other blocks than its image has')
  let mapped = 0
  let nextBlock = 0
  const extents = [...text.matchAll(rangePattern)].map(([, attributes = '', from = '', to = from]): BmapExtent => {
    const [first, last] = [Number(from), Number(to)]
    if (first < nextBlock || last < first || last * blockBytes >= sizeBytes)
      throw refuse(`has a wrong range ${from}-${to}`)
    nextBlock = last + 1
    mapped += last - first + 1
    const checksum = /\s(?:chksum|sha1)="([^"]*)"/.exec(attributes)?.[1]?.toLowerCase()
    return { startBytes: first * blockBytes, endBytes: Math.min((last + 1) * blockBytes, sizeBytes), checksum }
  })
  if (mapped !== numberOf('MappedBlocksCount')) throw refuse('has other ranges than it counts')
  return { sizeBytes, algorithm, extents }
}
