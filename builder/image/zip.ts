import { open } from 'node:fs/promises'
import { invalidImage, readAt } from './table.ts'

/** The one image in a zip archive; offsets and sizes in bytes. */
export interface ZippedImage {
  name: string
  isDeflated: boolean
  /** Where its bytes begin in the archive. */
  dataOffset: number
  compressedBytes: number
  sizeBytes: number
  crc32: number
}

const endBytes = 22
const longestComment = 0xffff
const signatures = { end: 0x06054b50, end64: 0x06064b50, locator64: 0x07064b50, central: 0x02014b50, local: 0x04034b50 }
/** A central directory of an image's archive has a handful of entries. */
const largestDirectory = 16 << 20

const big = (buffer: Buffer, at: number): number => Number(buffer.readBigUInt64LE(at))

/** The entry's values that do not fit into 32 bits, in the order of the fields that say so (extra field 0x0001). */
const readZip64 = (extra: Buffer): Buffer => {
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = extra.readUInt16LE(at + 2)
    if (extra.readUInt16LE(at) === 1) return extra.subarray(at + 4, at + 4 + length)
    at += 4 + length
  }
  return Buffer.alloc(0)
}

const readEntries = (directory: Buffer) => {
  const entries: (Omit<ZippedImage, 'dataOffset' | 'isDeflated'> & {
    headerOffset: number
    method: number
    isEncrypted: boolean
  })[] = []
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === signatures.central; ) {
    const nameBytes = directory.readUInt16LE(at + 28)
    const extraBytes = directory.readUInt16LE(at + 30)
    const extra = directory.subarray(at + 46 + nameBytes, at + 46 + nameBytes + extraBytes)
    const wide = readZip64(extra)
    let used = 0
    const field = (offset: number): number => {
      const value = directory.readUInt32LE(at + offset)
      if (value !== 0xffffffff || used + 8 > wide.length) return value
      used += 8
      return big(wide, used - 8)
    }
    const sizeBytes = field(24)
    const compressedBytes = field(20)
    const headerOffset = field(42)
    entries.push({
      name: directory.toString('utf8', at + 46, at + 46 + nameBytes),
      isEncrypted: (directory.readUInt16LE(at + 8) & 1) !== 0,
      method: directory.readUInt16LE(at + 10),
      crc32: directory.readUInt32LE(at + 16),
      sizeBytes,
      compressedBytes,
      headerOffset,
    })
    at += 46 + nameBytes + extraBytes + directory.readUInt16LE(at + 32)
  }
  return entries
}

/**
 * Find the one `.img` in a zip archive, by its central directory. Throws `IMAGE_INVALID` for an archive that is cut off,
 * holds no image or several, or keeps it in a way other than stored or deflated. Format: PKWARE's APPNOTE 6.3, sections
 * 4.3 and 4.5.3 (archives and members beyond 4 GiB).
 */
export const findZippedImage = async (path: string): Promise<ZippedImage> => {
  await using file = await open(path, 'r')
  const { size } = await file.stat()
  const tailBytes = Math.min(size, endBytes + longestComment)
  const tail = (await readAt(file, size - tailBytes, tailBytes)) ?? Buffer.alloc(0)
  let end = tail.length - endBytes
  while (end >= 0 && tail.readUInt32LE(end) !== signatures.end) end -= 1
  if (end < 0) throw invalidImage(path, 'is a zip archive that is cut off: it has no directory')
  let directoryBytes = tail.readUInt32LE(end + 12)
  let directoryOffset = tail.readUInt32LE(end + 16)
  const locator = end >= 20 ? tail.subarray(end - 20, end) : undefined
  if (locator?.readUInt32LE(0) === signatures.locator64) {
    const wide = await readAt(file, big(locator, 8), 56)
    if (wide?.readUInt32LE(0) !== signatures.end64) throw invalidImage(path, 'is a damaged zip archive')
    directoryBytes = big(wide, 40)
    directoryOffset = big(wide, 48)
  }
  if (directoryBytes > largestDirectory) throw invalidImage(path, 'is a zip archive of too many files')
  const directory = await readAt(file, directoryOffset, directoryBytes)
  if (!directory) throw invalidImage(path, 'is a zip archive that is cut off: its directory lies beyond the end')
  const images = readEntries(directory).filter(({ name }) => /\.img$/i.test(name))
  const [image] = images
  if (!image) throw invalidImage(path, 'is a zip archive without an image (`.img`) in it')
  if (images.length > 1) throw invalidImage(path, `is a zip archive with ${images.length} images in it`)
  const { headerOffset, method, isEncrypted, ...member } = image
  if (isEncrypted) throw invalidImage(path, `holds \`${image.name}\` encrypted`)
  if (method !== 0 && method !== 8)
    throw invalidImage(path, `holds \`${image.name}\` in a compression of kind ${method}`)
  const header = await readAt(file, headerOffset, 30)
  if (header?.readUInt32LE(0) !== signatures.local) throw invalidImage(path, 'is a damaged zip archive')
  const dataOffset = headerOffset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
  if (dataOffset + member.compressedBytes > size) throw invalidImage(path, 'is a zip archive that is cut off')
  return { ...member, isDeflated: method === 8, dataOffset }
}
