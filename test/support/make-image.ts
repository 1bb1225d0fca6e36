import { truncate, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { runTool } from '../../builder/host/sandbox.ts'
import { encodeTable, sectorBytes } from '../../builder/image/table.ts'
import { tools } from './tools.ts'

const bootSectors = 80_000
/** Where the partitions begin, in sectors. */
export const bootStart = 2048
export const rootStart = bootStart + bootSectors
const rootSectors = 81_920

/**
 * A small image at `path`: a Linux file system of the folder `root`, made with `options` of mke2fs(8), and a FAT of the
 * folder `boot`, or empty. Written by other programs than pibake's own.
 */
export const makeImage = async (
  path: string,
  { root, boot, options = ['-t', 'ext4'] }: { root: string; boot?: string; options?: readonly string[] },
): Promise<void> => {
  await writeFile(
    path,
    encodeTable({
      diskId: '0badcafe',
      partitions: [
        { number: 1, type: 0x0c, startSector: bootStart, sectors: bootSectors },
        { number: 2, type: 0x83, startSector: rootStart, sectors: rootSectors },
      ],
    }),
  )
  await truncate(path, (rootStart + rootSectors) * sectorBytes)
  const offset = `offset=${rootStart * sectorBytes}`
  const size = `${(rootSectors * sectorBytes) / 1024}k`
  await runTool(tools, ['mke2fs', '-q', '-F', '-d', root, '-L', 'rootfs', '-E', offset, ...options, path, size], {
    readOnly: [root],
    writable: [path],
  })
  const makeFat = ['mkfs.vfat', '-F', '32', '-s', '1', '-n', 'bootfs', '--offset', String(bootStart), path]
  await runTool(tools, [...makeFat, String(bootSectors / 2)], { writable: [path] })
  if (boot === undefined) return
  const drive = `${path}@@${bootStart * sectorBytes}`
  await runTool(tools, ['sh', '-c', 'mcopy -i "$1" -s -Q -m "$2"/* ::', 'sh', drive, boot], {
    readOnly: [boot],
    writable: [path],
    env: { TZ: 'UTC', MTOOLS_SKIP_CHECK: '1', LC_ALL: 'C.UTF-8' },
  })
}

/** Copy an image without filling its holes. */
export const copyImage = async (from: string, to: string): Promise<void> => {
  await runTool(tools, ['cp', '--sparse=always', from, to], { readOnly: [from], writable: [dirname(to)] })
}

/** Put commands to debugfs(8) on the root file system of such an image, which may read `readOnly`; what it prints. */
export const debugImage = async (
  image: string,
  commands: readonly string[],
  readOnly: readonly string[] = [],
): Promise<string> => {
  const argv = ['debugfs', '-w', '-f', '-', `${image}?offset=${rootStart * sectorBytes}`]
  return (await runTool(tools, argv, { readOnly, writable: [image], input: `${commands.join('\n')}\n` })).stdout
}
