import { type Entry, openPromise, type ZipFile } from 'yauzl'
import { errnoOf } from '../core/error.ts'
import { invalidImage } from './table.ts'

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

const methods = { stored: 0, deflated: 8 }

/** What the archive's library throws has no code; what reading the file throws has one and stays what it is. */
const asDamaged = (path: string) => (error: unknown) => {
  if (!(error instanceof Error) || errnoOf(error) !== undefined) throw error
  const reason = error.message.replace(/\.$/, '')
  throw invalidImage(path, `is a zip archive that is damaged or cut off: ${reason}`)
}

const listEntries = async (zip: ZipFile): Promise<Entry[]> => {
  const entries: Entry[] = []
  for await (const entry of zip.eachEntry()) entries.push(entry)
  return entries
}

/**
 * Find the one `.img` in a zip archive, by its central directory. Throws `IMAGE_INVALID` for an archive that is cut off,
 * holds no image or several, or keeps it in a way other than stored or deflated.
 */
export const findZippedImage = async (path: string): Promise<ZippedImage> => {
  const zip = await openPromise(path, { lazyEntries: true, autoClose: false }).catch(asDamaged(path))
  try {
    const entries = await listEntries(zip).catch(asDamaged(path))
    const images = entries.filter(({ fileName }) => /\.img$/i.test(fileName))
    const [image] = images
    if (!image) throw invalidImage(path, 'is a zip archive without an image (`.img`) in it')
    if (images.length > 1) throw invalidImage(path, `is a zip archive with ${images.length} images in it`)
    const { fileName: name, compressionMethod: method, compressedSize: compressedBytes, crc32 } = image
    if (image.isEncrypted()) throw invalidImage(path, `holds \`${name}\` encrypted`)
    if (!Object.values(methods).includes(method)) {
      throw invalidImage(path, `holds \`${name}\` in a compression of kind ${method}`)
    }
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(image, { minimal: true }).catch(asDamaged(path))
    return {
      ...{ name, isDeflated: method === methods.deflated, dataOffset: fileDataStart },
      ...{ compressedBytes, sizeBytes: image.uncompressedSize, crc32 },
    }
  } finally {
    zip.close()
  }
}
