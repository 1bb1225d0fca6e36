import { mkdir, mkdtemp, open, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runTool } from '../../builder/host/sandbox.ts'
import { encodeTable, type Partition } from '../../builder/image/table.ts'
import { tools } from './tools.ts'

const bootMiB = 40
const rootMiB = 16
const bootStart = 8 << 20
/** Where its root partition begins, in bytes. */
export const smallRootOffset = bootStart + (bootMiB << 20)

export const smallPartitions: readonly Partition[] = [
  { number: 1, type: 0x0c, startSector: bootStart / 512, sectors: bootMiB * 2048 },
  { number: 2, type: 0x83, startSector: smallRootOffset / 512, sectors: rootMiB * 2048 },
]

/** What makes a root look like one of Debian: a dpkg of an architecture, and a release. */
export const debianFiles = ({ architecture = 'arm64', codename = 'trixie' } = {}): Record<string, string> => ({
  'var/lib/dpkg/status': `Package: dpkg\nStatus: install ok installed\nArchitecture: ${architecture}\nVersion: 1.22\n`,
  'usr/lib/os-release': `ID=debian\nVERSION_CODENAME=${codename}\n`,
})

/** A small image in `folder` with a table as Raspberry Pi OS has, an empty boot partition, and these files in its root. */
export const makeSmallImage = async (
  folder: string,
  options: { files?: Readonly<Record<string, string>>; partitions?: readonly Partition[] } = {},
): Promise<string> => {
  const { files = debianFiles(), partitions = smallPartitions } = options
  const path = join(folder, 'pi.img')
  const root = await mkdtemp(join(folder, 'root-'))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), text)
  }
  await writeFile(path, encodeTable({ diskId: '0badcafe', partitions: [...partitions] }))
  await truncate(path, smallRootOffset + (rootMiB << 20))
  const fat = ['mkfs.vfat', '-F', '32', '-n', 'bootfs', '-s', '1', '--offset', String(bootStart / 512), path]
  await runTool(tools, [...fat, String(bootMiB * 1024)], { writable: [path] })
  const ext4 = ['mke2fs', '-q', '-F', '-t', 'ext4', '-L', 'rootfs', '-d', root, '-E', `offset=${smallRootOffset}`]
  await runTool(tools, [...ext4, path, `${rootMiB}m`], { readOnly: [root], writable: [path] })
  return path
}

/** Give the first FAT of a small image, which follows 32 reserved sectors, an entry that the second one does not have. */
export const damageFat = async (image: string): Promise<void> => {
  await using file = await open(image, 'r+')
  await file.write(Buffer.from([1, 2, 3, 4]), 0, 4, bootStart + 32 * 512 + 400)
}

/** Give the root folder of a small image a count of links that is not right. */
export const damageExt4 = async (image: string): Promise<void> => {
  const place = `${image}?offset=${smallRootOffset}`
  await runTool(tools, ['debugfs', '-w', '-R', 'set_inode_field / links_count 77', place], { writable: [image] })
}
