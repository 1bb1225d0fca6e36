import test from 'ava'
import type { PibakeError } from '../../builder/core/error.ts'
import { checkBase } from '../../builder/image/check.ts'
import { scratch } from '../support/scratch.ts'
import { damageExt4, damageFat, makeSmallImage } from '../support/small-image.ts'
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
  await damageFat(path)
  const error = (await t.throwsAsync(check(path, folder), { code: 'IMAGE_INVALID' })) as PibakeError
  t.is(error.message, '`my.img.xz` has errors in its boot file system (partition 1, FAT).')
  t.regex(error.details.join('\n'), /FAT/)
})

test('an ext4 with errors is refused with what the checker says', async (t) => {
  const folder = await scratch(t)
  const path = await makeSmallImage(folder)
  await damageExt4(path)
  const error = (await t.throwsAsync(check(path, folder), { code: 'IMAGE_INVALID' })) as PibakeError
  t.is(error.message, '`my.img.xz` has errors in its root file system (partition 2, ext4).')
  t.regex(error.details.join('\n'), /count/)
})
