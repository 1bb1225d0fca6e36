import { open } from 'node:fs/promises'
import test from 'ava'
import { runTool } from '../../builder/host/sandbox.ts'
import { checkBase } from '../../builder/image/check.ts'
import { scratch } from '../support/scratch.ts'
import { makeSmallImage, smallRootOffset } from '../support/small-image.ts'
import { tools } from '../support/tools.ts'

const check = (path: string, folder: string) => checkBase({ tools, path, label: 'my.img.xz', scratch: folder })

test('an image without errors is taken, with its labels and features', async (t) => {
  const folder = await scratch(t)
  const image = await check(await makeSmallImage(folder), folder)
  t.is(image.boot.fat.label, 'bootfs')
  t.is(image.root.ext4.label, 'rootfs')
  t.true(image.root.ext4.features?.includes('metadata_csum'))
  t.true(image.root.ext4.features?.includes('64bit'))
})

test('a FAT with errors is refused with what the checker says', async (t) => {
  const folder = await scratch(t)
  const path = await makeSmallImage(folder)
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
  const path = await makeSmallImage(folder)
  const place = `${path}?offset=${smallRootOffset}`
  await runTool(tools, ['debugfs', '-w', '-R', 'set_inode_field / links_count 77', place], { writable: [path] })
  const error = await t.throwsAsync(check(path, folder), { code: 'IMAGE_INVALID' })
  t.is(error?.message, '`my.img.xz` has errors in its root file system (partition 2, ext4).')
  t.regex(String((error as { details?: string[] }).details?.join('\n')), /count/)
})
