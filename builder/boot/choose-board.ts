import { PibakeError } from '../core/error.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import { mtoolsDrive } from '../image/open.ts'
import { fatTypes, readPartitionTable, sectorBytes } from '../image/table.ts'
import type { Board } from './board.ts'

/** The boot loaders that UEFI looks for on a medium it has never seen (specification 2.10, section 3.5.1.1), by board. */
const loaders: readonly (readonly [name: string, board: Board])[] = [
  ['BOOTX64.EFI', 'uefi-amd64'],
  ['BOOTAA64.EFI', 'uefi-arm64'],
]

/** The board with UEFI that starts a GPT image, by the loader on its boot partition; undefined where it has none. */
const boardWithUefi = async (
  tools: Tools,
  image: string,
  signal: AbortSignal | undefined,
): Promise<Board | undefined> => {
  const { partitions } = await readPartitionTable(image)
  const boot = partitions.find(({ type }) => fatTypes.has(type))
  if (boot?.guid === undefined) return undefined
  const drive = mtoolsDrive(image, boot.startSector * sectorBytes)
  const { stdout } = await runTool(tools, ['mdir', '-b', '-i', drive, '::EFI/BOOT'], {
    readOnly: [image],
    env: { MTOOLS_SKIP_CHECK: '1' },
    ...(signal ? { signal } : {}),
  })
  const names = stdout.toUpperCase()
  return loaders.find(([name]) => names.includes(name))?.[1]
}

/**
 * The board that an image is for, where nobody says: one with UEFI for an image that starts by it, else `virt`. What
 * cannot be read is left to those who boot it. Throws `USAGE` for a board that was `named` and cannot start the image.
 */
export const chooseBoard = async (
  tools: Tools,
  image: string,
  options: { named?: Board | undefined; signal?: AbortSignal } = {},
): Promise<Board> => {
  const { named, signal } = options
  const found = await boardWithUefi(tools, image, signal).catch((error: unknown) => {
    if (error instanceof PibakeError && (error.code === 'IMAGE_INVALID' || error.code === 'COMMAND_FAILED'))
      return undefined
    throw error
  })
  if (found === undefined) return named ?? 'virt'
  if (named === undefined || named === found) return found
  throw new PibakeError('USAGE', `\`${image}\` is for a machine with UEFI, which \`${named}\` is not.`, {
    hint: 'Leave `--board` out.',
  })
}
