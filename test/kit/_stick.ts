import { truncate, writeFile } from 'node:fs/promises'
import { runTool } from '../../builder/host/sandbox.ts'
import { encodeTable, sectorBytes } from '../../builder/image/table.ts'
import { tools } from '../support/tools.ts'

const startBytes = 1 << 20
const sizeBytes = 1 << 30

/** Write a USB stick as they are sold, one partition with FAT32, with what is in `folder`; its label is `STICK`. */
export const makeStickImage = async (image: string, folder: string): Promise<void> => {
  const [startSector, sectors] = [startBytes / sectorBytes, sizeBytes / sectorBytes]
  await writeFile(
    image,
    encodeTable({ diskId: '0badcafe', partitions: [{ number: 1, type: 0x0c, startSector, sectors }] }),
  )
  await truncate(image, startBytes + sizeBytes)
  const script = 'mkfs.fat -F 32 -n STICK --offset "$2" "$1" "$3" && mcopy -i "$1@@$4" -s -Q -b "$5"/* ::'
  const sizes = [startSector, sizeBytes >> 10, startBytes].map(String)
  await runTool(tools, ['sh', '-c', script, 'sh', image, ...sizes, folder], {
    writable: [image],
    readOnly: [folder],
    env: { MTOOLS_SKIP_CHECK: '1' },
  })
}
