import { stat, truncate } from 'node:fs/promises'
import { diskSizeBytes } from '../../builder/boot/overlay.ts'
import { readWriteLog, replayWrites } from '../../builder/boot/write-log.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { inspectBase, mtoolsDrive } from '../../builder/image/open.ts'
import { tools } from '../support/tools.ts'

const env = { MTOOLS_SKIP_CHECK: '1' }

/** The boot partition of an image that may be changed. */
export interface BootPartition {
  /** What a file in its top folder says. */
  read(name: string): Promise<string>
  write(name: string, text: string): Promise<void>
  /** Names in its top folder, a line each. */
  list(): Promise<string>
}

export const openBootPartition = async (image: string): Promise<BootPartition> => {
  const { boot } = await inspectBase(image)
  const drive = mtoolsDrive(image, boot.offsetBytes)
  const reading = { readOnly: [image], env }
  return {
    read: async (name) => (await runTool(tools, ['mcopy', '-i', drive, `::${name}`, '-'], reading)).stdout,
    write: async (name, input) => {
      await runTool(tools, ['mcopy', '-o', '-i', drive, '-', `::${name}`], { writable: [image], env, input })
    },
    list: async () => (await runTool(tools, ['mdir', '-b', '-i', drive], reading)).stdout,
  }
}

/** Leave on an image what a guest that was booted from it has written, taken down in `writeLog`. */
export const keepWrites = async (image: string, writeLog: string): Promise<void> => {
  await truncate(image, diskSizeBytes((await stat(image)).size, 'virt'))
  const writes = (await readWriteLog(writeLog)).filter(({ lengthBytes }) => lengthBytes > 0)
  await replayWrites({ log: writeLog, disk: image, writes })
}
