import { readSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { readExt4 } from '../image/ext4.ts'
import { readFat } from '../image/fat.ts'
import { invalidImage, openImage, type Partition, readPartitionTable, sectorBytes } from '../image/table.ts'
import { readExt4Volume } from './ext4-files.ts'
import { readFatVolume } from './fat-files.ts'
import type { Medium, Volume } from './volume.ts'

export interface ImagePartition extends Partition {
  /** What it holds; undefined for anything but FAT32 and ext4. */
  volume: Volume | undefined
}

/** An image, its partitions and all names in them, open for reading files. */
export interface ImageTree extends AsyncDisposable {
  path: string
  sizeBytes: number
  /** As in `PartitionTable`: 8 hex digits, or the GUID of a GPT. */
  diskId: string
  partitions: readonly ImagePartition[]
}

/** Reads within one partition. They are synchronous: tens of thousands of small ones take half the time that way. */
const mediumOf = (path: string, { fd }: FileHandle, { number, startSector, sectors }: Partition): Medium => {
  const invalid = (problem: string): Error => invalidImage(path, `${problem} (partition ${number})`)
  return {
    invalid,
    read(position, sizeBytes) {
      if (position + sizeBytes > sectors * sectorBytes) {
        throw invalid('is damaged: a file system leads beyond the end of its partition')
      }
      const buffer = Buffer.allocUnsafe(sizeBytes)
      let filled = 0
      while (filled < sizeBytes) {
        const count = readSync(fd, buffer, filled, sizeBytes - filled, startSector * sectorBytes + position + filled)
        if (count === 0) throw invalid('is truncated')
        filled += count
      }
      return buffer
    },
  }
}

const readVolume = async (path: string, file: FileHandle, partition: Partition): Promise<Volume | undefined> => {
  const offset = partition.startSector * sectorBytes
  const medium = mediumOf(path, file, partition)
  const ext4 = await readExt4(file, offset)
  if (ext4) return readExt4Volume(medium, ext4)
  const fat = await readFat(file, offset)
  return fat ? readFatVolume(medium, fat) : undefined
}

/**
 * Read an image without mounting it, and without root where the file may be read: its partitions, and every entry of
 * their FAT32 and ext4 file systems. What files hold is read when it is asked for, so keep the result only while it is
 * needed: `await using tree = await readImageTree(path)`. Throws IMAGE_INVALID.
 */
export const readImageTree = async (path: string): Promise<ImageTree> => {
  const { diskId, partitions } = await readPartitionTable(path)
  const file = await openImage(path)
  try {
    const read: ImagePartition[] = []
    for (const partition of partitions) {
      read.push({ ...partition, volume: await readVolume(path, file, partition) })
    }
    const { size: sizeBytes } = await file.stat()
    return { path, sizeBytes, diskId, partitions: read, [Symbol.asyncDispose]: () => file.close() }
  } catch (error) {
    await file.close()
    throw error
  }
}
