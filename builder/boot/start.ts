import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Tools } from '../host/sandbox.ts'
import { type Board, boards } from './board.ts'
import { extractBootFiles } from './boot-files.ts'
import { type GuestOptions, guestCommandLine, type MachineStart } from './machine.ts'

/** The name under which systemd-boot looks for what it is to add to the kernel command line (systemd-boot(7), SMBIOS type 11). */
const additionName = 'io.systemd.boot.kernel-cmdline-extra'

/**
 * Lay out in `folder` what starts an image on a board: kernel, initramfs and command line taken from it, or the firmware
 * that finds these itself. Throws `IMAGE_INVALID` as `extractBootFiles` does, and `USAGE` as `guestCommandLine` does.
 */
export const prepareStart = async (
  options: { tools: Tools; image: string; board: Board; folder: string; signal?: AbortSignal },
  guest: Omit<GuestOptions, 'board'>,
): Promise<MachineStart> => {
  const { tools, board, folder } = options
  const { firmware } = boards[board]
  if (firmware === undefined) {
    const { cmdline, ...files } = await extractBootFiles(options)
    return { by: 'qemu', ...files, commandLine: guestCommandLine(cmdline, { board, bits: files.bits, ...guest }) }
  }
  const addition = join(folder, 'addition')
  await writeFile(addition, `${additionName}=${guestCommandLine('', { board, ...guest })}`)
  const { code } = firmware
  if (firmware.variables === undefined) return { by: 'firmware', code, variables: undefined, addition }
  const variables = join(folder, 'variables.fd')
  await copyFile(join(tools.root, firmware.variables), variables)
  return { by: 'firmware', code, variables, addition }
}
