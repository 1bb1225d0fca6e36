import { readExt4 } from '../image/ext4.ts'
import { readFat } from '../image/fat.ts'
import { openImage, readPartitionTable, sectorBytes } from '../image/table.ts'

/** A file system on a drive, as far as pibake's own readers know it. */
export interface DeviceContent {
  /** 0 for one that takes the whole drive. */
  partition: number
  kind: 'FAT32' | 'ext4' | 'unknown'
  label: string
  sizeBytes: number
}

/** A label as it may be shown: what is on a card was written by anybody. */
const clean = (label: string): string => label.replaceAll(/[\p{C}]/gu, '').trim()

/** What a drive holds; empty when it has neither a partition table nor a FAT. Undefined when it may not be read. */
export const readContent = async (path: string): Promise<DeviceContent[] | undefined> => {
  try {
    await using file = await openImage(path)
    const whole = await readFat(file, 0)
    if (whole) return [{ partition: 0, kind: 'FAT32', label: clean(whole.label), sizeBytes: whole.sizeBytes }]
    const table = await readPartitionTable(path).catch(() => undefined)
    const contents: DeviceContent[] = []
    for (const { number, startSector, sectors } of table?.partitions ?? []) {
      const offset = startSector * sectorBytes
      const fat = await readFat(file, offset)
      const ext4 = fat ? undefined : await readExt4(file, offset)
      contents.push({
        partition: number,
        kind: fat ? 'FAT32' : ext4 ? 'ext4' : 'unknown',
        label: clean((fat ?? ext4)?.label ?? ''),
        sizeBytes: sectors * sectorBytes,
      })
    }
    return contents
  } catch {
    return undefined
  }
}
