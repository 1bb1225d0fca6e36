import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { readIfThere } from '../core/file.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import { type ArchiveKind, readArchiveKind } from '../image/archive.ts'
import { checksumFor, namesBeside } from '../image/beside.ts'
import { bmapBlockBytes, collectRanges, mapImage } from '../image/mapped.ts'
import { type BmapAlgorithm, type BmapExtent, parseBmap } from '../image/read-bmap.ts'
import { readPartitionTable, sectorBytes } from '../image/table.ts'
import { findZippedImage } from '../image/zip.ts'

/** Own extents are cut here, so that a card is compared, and may be stopped, piece by piece. */
const extentBytes = 8 << 20

/** An image that can be written: what it is, what of it matters, and what it is held against. */
export interface ImageSource {
  /** What errors call it. */
  label: string
  /** Absolute path of the image, or of its archive. */
  path: string
  kind: ArchiveKind
  /** Undefined for archives that do not say. */
  sizeBytes: number | undefined
  algorithm: BmapAlgorithm
  /** What a card must hold; undefined when that is everything until the image ends. */
  extents: readonly BmapExtent[] | undefined
  /** Of the whole image, where a file beside it says so and no block map says more. */
  sha256: Sha256 | undefined
  /** Of the archive, where a file beside it says so. */
  archiveSha256: Sha256 | undefined
}

const findChecksum = async (beside: readonly string[], name: string): Promise<Sha256 | undefined> => {
  for (const path of beside) {
    const text = await readIfThere(`${path}.sha256`)
    const found = text === undefined ? undefined : checksumFor(text, name)
    if (found !== undefined) return found
  }
  return undefined
}

/** How large the image in an archive is, by the archive's own index; undefined where that is not known. */
const unpackedSize = async (path: string, kind: ArchiveKind, tools: Tools): Promise<number | undefined> => {
  if (kind === 'zip') return (await findZippedImage(path)).sizeBytes
  const commands: Partial<Record<ArchiveKind, readonly [readonly string[], RegExp]>> = {
    xz: [['xz', '--robot', '--list', path], /^totals\t\d+\t\d+\t\d+\t(\d+)\t/m],
    zst: [['zstd', '--list', '--verbose', path], /^Decompressed Size: .*\((\d+) B\)/m],
  }
  const [argv, pattern] = commands[kind] ?? []
  if (!argv || !pattern) return undefined
  const { stdout } = await runTool(tools, argv, { readOnly: [path] }).catch(() => ({ stdout: '' }))
  const size = pattern.exec(stdout)?.[1]
  return size === undefined ? undefined : Number(size)
}

/** Everything of an image of known size. */
const allOf = (sizeBytes: number): BmapExtent[] =>
  Array.from({ length: Math.ceil(sizeBytes / extentBytes) }, (_, index) => ({
    startBytes: index * extentBytes,
    endBytes: Math.min((index + 1) * extentBytes, sizeBytes),
    checksum: undefined,
  }))

/** What the file systems of a raw image use, and whatever lies outside its partitions. */
const ownExtents = async (path: string, sizeBytes: number): Promise<BmapExtent[]> => {
  const { partitions } = await readPartitionTable(path)
  const mapped = await mapImage(path)
  let end = 0
  for (const { startSector, sectors } of partitions.toSorted((a, b) => a.startSector - b.startSector)) {
    mapped.fill(1, Math.floor(end / bmapBlockBytes), Math.ceil((startSector * sectorBytes) / bmapBlockBytes))
    end = (startSector + sectors) * sectorBytes
  }
  mapped.fill(1, Math.floor(end / bmapBlockBytes))
  return collectRanges(mapped, extentBytes / bmapBlockBytes).map(({ first, last }) => ({
    startBytes: first * bmapBlockBytes,
    endBytes: Math.min((last + 1) * bmapBlockBytes, sizeBytes),
    checksum: undefined,
  }))
}

/**
 * Look at an image, compressed or not, and at what lies beside it: its block map and its checksums, found by name as
 * bmaptool finds them. `named` is where it came from, when it was unpacked or downloaded. `tools` is asked only for archives. Throws `IMAGE_INVALID` for what is no disk image, and for a
 * block map that is damaged or of another image.
 */
export const openSource = async (
  path: string,
  { label, tools, named = path }: { label: string; tools: () => Promise<Tools>; named?: string },
): Promise<ImageSource> => {
  const kind = await readArchiveKind(path)
  if (kind === 'image') await readPartitionTable(path)
  const beside = namesBeside(named)
  const statedBytes = kind === 'image' ? (await stat(path)).size : await unpackedSize(path, kind, await tools())
  const archiveSha256 = kind === 'image' ? undefined : await findChecksum([named], basename(named))
  for (const name of beside) {
    const text = await readIfThere(`${name}.bmap`)
    if (text === undefined) continue
    const { sizeBytes, algorithm, extents } = parseBmap(text, `${name}.bmap`)
    if (statedBytes !== undefined && statedBytes !== sizeBytes) {
      throw new PibakeError('IMAGE_INVALID', `\`${name}.bmap\` is of an image of another size than \`${label}\`.`, {
        hint: 'Fetch or make it anew together with its image, or take it away.',
        details: [`block map: ${sizeBytes} bytes`, `image: ${statedBytes} bytes`],
      })
    }
    const isChecked = extents.every(({ checksum }) => checksum !== undefined)
    const sha256 = isChecked ? undefined : await findChecksum(beside, basename(name))
    return { label, path, kind, sizeBytes, algorithm, extents, sha256, archiveSha256 }
  }
  const sha256 = await findChecksum(beside, basename(named).replace(/\.(?:xz|gz|zst|zip)$/i, ''))
  const extents =
    kind === 'image' && statedBytes !== undefined
      ? await ownExtents(path, statedBytes)
      : statedBytes === undefined
        ? undefined
        : allOf(statedBytes)
  return { label, path, kind, sizeBytes: statedBytes, algorithm: 'sha256', extents, sha256, archiveSha256 }
}

/** The extents of an image, without end where its size is not known. */
export const extentsOf = function* ({ extents }: Pick<ImageSource, 'extents'>): Generator<BmapExtent> {
  if (extents) {
    yield* extents
    return
  }
  for (let startBytes = 0; ; startBytes += extentBytes) {
    yield { startBytes, endBytes: startBytes + extentBytes, checksum: undefined }
  }
}
