import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PibakeError } from '../core/error.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import { mtoolsDrive } from '../image/open.ts'
import { fatTypes, invalidImage, readPartitionTable, sectorBytes } from '../image/table.ts'
import { type Board, boards } from './board.ts'
import { selectBootFiles } from './config-txt.ts'
import { withoutBluetooth } from './device-tree.ts'
import { unpackKernel } from './kernel.ts'

/** What starts an image, copied out of its boot partition. Absolute paths. */
export interface BootFiles {
  kernel: string
  /** Of the words that the kernel is made for. */
  bits: 32 | 64
  initramfs: string | undefined
  deviceTree: string | undefined
  /** Text of `cmdline.txt`. */
  cmdline: string
}

/** mtools' name for the boot partition: the first one of a FAT type. */
const bootDrive = async (image: string): Promise<string> => {
  const { partitions } = await readPartitionTable(image)
  const boot = partitions.find(({ type }) => fatTypes.has(type))
  if (boot === undefined) throw invalidImage(image, 'has no FAT boot partition')
  return mtoolsDrive(image, boot.startSector * sectorBytes)
}

/**
 * Copy kernel, initramfs, device tree and command line out of the boot partition of `image` into `folder`. The kernel
 * comes out uncompressed, the device tree without Bluetooth (see `withoutBluetooth`). Throws `IMAGE_INVALID` when there is none or no boot partition.
 */
export const extractBootFiles = async (options: {
  tools: Tools
  image: string
  board: Board
  folder: string
  signal?: AbortSignal
}): Promise<BootFiles> => {
  const { tools, image, board, folder, signal } = options
  const drive = await bootDrive(image)
  const access = {
    readOnly: [image],
    writable: [folder],
    env: { MTOOLS_SKIP_CHECK: '1' },
    ...(signal ? { signal } : {}),
  }
  const listing = await runTool(tools, ['mdir', '-b', '-i', drive, '::'], access).catch((error: unknown) => {
    if (error instanceof PibakeError && error.code === 'COMMAND_FAILED')
      throw invalidImage(image, 'has a boot partition without a FAT file system', error)
    throw error
  })
  const files = listing.stdout.split('\n').map((line) => line.trim().replace(/^::\//, ''))
  const copy = async (name: string): Promise<string> => {
    const path = join(folder, name)
    await runTool(tools, ['mcopy', '-n', '-i', drive, `::${name}`, path], access)
    return path
  }
  const { models, deviceTree } = boards[board]
  const config = files.includes('config.txt') ? await readFile(await copy('config.txt'), 'utf8') : ''
  const names = selectBootFiles(config, files, models)
  if (deviceTree !== undefined && !files.includes(deviceTree)) {
    throw new PibakeError('IMAGE_INVALID', `The boot partition has no \`${deviceTree}\`.`, {
      hint: `Without it a ${boards[board].title} cannot start; use \`--board virt\`, or put the device tree there.`,
    })
  }
  const tree = deviceTree === undefined ? undefined : await copy(deviceTree)
  if (tree !== undefined) {
    const changed = withoutBluetooth(await readFile(tree))
    if (changed === undefined) throw invalidImage(image, `has a \`${deviceTree}\` that is no device tree`)
    await writeFile(tree, changed)
  }
  const kernel = await copy(names.kernel)
  const { bytes, bits } = unpackKernel(await readFile(kernel), names.kernel)
  await writeFile(kernel, bytes)
  return {
    kernel,
    bits,
    initramfs: names.initramfs === undefined ? undefined : await copy(names.initramfs),
    deviceTree: tree,
    cmdline: (await readFile(await copy(names.cmdline), 'utf8')).trim(),
  }
}
