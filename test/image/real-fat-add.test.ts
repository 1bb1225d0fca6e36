import { open, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { runTool } from '../../builder/host/sandbox.ts'
import { readFat } from '../../builder/image/fat.ts'
import { addFatFiles } from '../../builder/image/fat-add.ts'
import { scratch } from '../support/scratch.ts'
import { tools } from '../support/tools.ts'

/** As many as FAT32 needs with one sector a cluster. */
const sizeMiB = 40
const env = { MTOOLS_SKIP_CHECK: '1' }

/** A FAT32 with these files in its top folder, as mkfs.vfat and mtools make it. */
const makeFat = async (t: ExecutionContext, files: Readonly<Record<string, string>>, cluster = 1): Promise<string> => {
  const folder = await scratch(t)
  const disk = join(folder, 'boot.img')
  await writeFile(disk, Buffer.alloc(sizeMiB << 20, 0x5a))
  await truncate(disk, (sizeMiB * cluster) << 20)
  await runTool(tools, ['mkfs.vfat', '-F', '32', '-s', String(cluster), '-n', 'bootfs', disk], { writable: [disk] })
  for (const [name, input] of Object.entries(files)) {
    await runTool(tools, ['mcopy', '-i', disk, '-', `::${name}`], { writable: [disk], env, input })
  }
  return disk
}

const plan = async (disk: string, files: ReadonlyMap<string, Buffer>) => {
  await using file = await open(disk, 'r')
  const fat = await readFat(file, 0)
  if (!fat) throw new Error('no FAT')
  return await addFatFiles({ file, offset: 0, fat }, { files, timeSeconds: Date.UTC(2026, 10, 22, 4, 30, 58) / 1000 })
}

const apply = async (disk: string, patches: Awaited<ReturnType<typeof plan>>): Promise<void> => {
  await using file = await open(disk, 'r+')
  for (const { position, bytes } of patches ?? []) await file.write(bytes, 0, bytes.length, position)
}

const read = async (disk: string, name: string): Promise<Buffer> => {
  const path = join(disk, '..', `read-${name}`)
  const folder = join(disk, '..')
  await runTool(tools, ['mcopy', '-n', '-i', disk, `::${name}`, path], { writable: [folder], env })
  return readFile(path)
}

const names = async (disk: string): Promise<string[]> => {
  const { stdout } = await runTool(tools, ['mdir', '-b', '-i', disk, '::'], { readOnly: [disk], env })
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().replace(/^::\//, ''))
    .sort()
}

const isSound = (t: ExecutionContext, disk: string) =>
  t.notThrowsAsync(runTool(tools, ['fsck.vfat', '-n', disk], { readOnly: [disk] }))

const some = new Map([
  ['hostname', Buffer.from('alder\n')],
  ['authorized_keys', Buffer.alloc(5000, 'k')],
  ['authorized_cats', Buffer.alloc(512, 'c')],
  ['empty', Buffer.alloc(0)],
])

for (const cluster of [1, 4]) {
  test(`files stand beside those that are there, clusters of ${cluster}`, async (t) => {
    const disk = await makeFat(t, { 'config.txt': 'arm_64bit=1\n', 'authorized keys of old.txt': 'x' }, cluster)
    const patches = await plan(disk, some)
    t.true(patches?.every(({ position, bytes }) => position % 512 === 0 && bytes.length % 512 === 0))
    await apply(disk, patches)
    await isSound(t, disk)
    t.deepEqual(await names(disk), [...some.keys(), 'authorized keys of old.txt', 'config.txt'].sort())
    for (const [name, content] of some) t.true((await read(disk, name)).equals(content), name)
    t.is((await read(disk, 'config.txt')).toString(), 'arm_64bit=1\n')
    const { stdout } = await runTool(tools, ['mdir', '-i', disk, '::hostname'], { readOnly: [disk], env })
    t.regex(stdout, /2026-11-22\s+4:30/)
  })
}

test('a folder without room for more names grows', async (t) => {
  const files = Object.fromEntries(Array.from({ length: 14 }, (_, index) => [`FILE${index}`, 'x']))
  const disk = await makeFat(t, files)
  const more = new Map(Array.from({ length: 30 }, (_, index) => [`a-long-name-${index}`, Buffer.from(`${index}`)]))
  await apply(disk, await plan(disk, more))
  await isSound(t, disk)
  t.is((await names(disk)).length, 44)
  t.is((await read(disk, 'a-long-name-29')).toString(), '29')
  t.is((await read(disk, 'FILE13')).toString(), 'x')
})

test('a name that is there, in whatever case, is not written over', async (t) => {
  const disk = await makeFat(t, { HostName: 'old' })
  t.is(await plan(disk, some), undefined)
})

test('what does not fit is not begun', async (t) => {
  const disk = await makeFat(t, {})
  t.is(await plan(disk, new Map([['large', Buffer.alloc(sizeMiB << 20)]])), undefined)
})
