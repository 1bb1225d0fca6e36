import { open, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { runTool } from '../../builder/host/sandbox.ts'
import { checkBase } from '../../builder/image/check.ts'
import { encodeTable } from '../../builder/image/table.ts'
import { scratch } from '../support/scratch.ts'
import { tools } from '../support/tools.ts'

const bootMiB = 40
const rootMiB = 16

/** A small image with empty file systems, as Raspberry Pi OS lays them out. */
const makeImage = async (folder: string): Promise<string> => {
  const path = join(folder, 'pi.img')
  const [boot, root] = [8 << 20, (8 + bootMiB) << 20]
  await writeFile(
    path,
    encodeTable({
      diskId: '0badcafe',
      partitions: [
        { number: 1, type: 0x0c, startSector: boot / 512, sectors: bootMiB * 2048 },
        { number: 2, type: 0x83, startSector: root / 512, sectors: rootMiB * 2048 },
      ],
    }),
  )
  await truncate(path, root + (rootMiB << 20))
  const fat = ['mkfs.vfat', '-F', '32', '-n', 'bootfs', '-s', '1', '--offset', String(boot / 512), path]
  await runTool(tools, [...fat, String(bootMiB * 1024)], { writable: [path] })
  const ext4 = ['mke2fs', '-q', '-F', '-t', 'ext4', '-L', 'rootfs', '-E', `offset=${root}`, path, `${rootMiB}m`]
  await runTool(tools, ext4, { writable: [path] })
  return path
}

const check = (path: string, folder: string) => checkBase({ tools, path, label: 'my.img.xz', scratch: folder })

test('an image without errors is taken, with its labels and features', async (t) => {
  const folder = await scratch(t)
  const image = await check(await makeImage(folder), folder)
  t.is(image.boot.fat.label, 'bootfs')
  t.is(image.root.ext4.label, 'rootfs')
  t.true(image.root.ext4.features?.includes('metadata_csum'))
  t.true(image.root.ext4.features?.includes('64bit'))
})

test('a FAT with errors is refused with what the checker says', async (t) => {
  const folder = await scratch(t)
  const path = await makeImage(folder)
  {
    await using file = await open(path, 'r+')
    // An entry of the first FAT, which follows 32 reserved sectors, that the second one does not have.
    await file.write(Buffer.from([1, 2, 3, 4]), 0, 4, (8 << 20) + 32 * 512 + 400)
  }
  const error = await t.throwsAsync(check(path, folder), { code: 'IMAGE_INVALID' })
  t.is(error?.message, '`my.img.xz` has errors in its boot file system (partition 1, FAT).')
  t.regex(String((error as { details?: string[] }).details?.join('\n')), /FAT/)
})

test('an ext4 with errors is refused with what the checker says', async (t) => {
  const folder = await scratch(t)
  const path = await makeImage(folder)
  const place = `${path}?offset=${(8 + bootMiB) << 20}`
  await runTool(tools, ['debugfs', '-w', '-R', 'set_inode_field / links_count 77', place], { writable: [path] })
  const error = await t.throwsAsync(check(path, folder), { code: 'IMAGE_INVALID' })
  t.is(error?.message, '`my.img.xz` has errors in its root file system (partition 2, ext4).')
  t.regex(String((error as { details?: string[] }).details?.join('\n')), /count/)
})
