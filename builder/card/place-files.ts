import { PibakeError } from '../core/error.ts'
import { headBytes } from '../flash/windows.ts'
import { readFat } from '../image/fat.ts'
import { addFatFiles, type Patch } from '../image/fat-add.ts'
import { fatTypes, openImage, readPartitionTable, sectorBytes } from '../image/table.ts'

const unfit = (label: string, problem: string, hint: string): PibakeError =>
  new PibakeError('IMAGE_INVALID', `\`${label}\` ${problem}.`, { hint })

/**
 * What has to be written to a card besides its image, so that these files are on its boot partition: places on the card,
 * in ascending order. Throws IMAGE_INVALID where they find no room, or one of them is on the image already.
 */
export const placeFiles = async (
  image: { path: string; label: string },
  files: ReadonlyMap<string, Buffer>,
  time: Date,
): Promise<Patch[]> => {
  const { path, label } = image
  const { partitions } = await readPartitionTable(path)
  const boot = partitions.find(({ type }) => fatTypes.has(type))
  await using file = await openImage(path)
  const offset = (boot?.startSector ?? 0) * sectorBytes
  const fat = boot && (await readFat(file, offset))
  if (!fat || offset < headBytes) {
    throw unfit(label, 'has no boot partition of FAT32 for settings of a card', 'Name an image that pibake baked.')
  }
  const patches = await addFatFiles({ file, offset, fat }, { files, timeSeconds: Math.floor(time.getTime() / 1000) })
  if (patches) return patches
  throw unfit(
    label,
    'cannot take the settings of a card: they are on its boot partition already, or it is full',
    'Name an image as it was baked; one that was read from a card may hold settings of that card.',
  )
}
