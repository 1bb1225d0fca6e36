import { access, chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import test from 'ava'
import { makeScratch, scratchOwner, sweepScratch } from '../../builder/host/scratch.ts'
import { scratch } from '../support/scratch.ts'

test('a scratch folder goes when it is disposed, and its parent with the last one', async (t) => {
  const parent = join(await scratch(t), 'work')
  {
    await using one = await makeScratch(parent)
    {
      await using other = await makeScratch(parent)
      t.not(one.path, other.path)
      await writeFile(join(other.path, 'file'), 'x')
    }
    t.deepEqual(await readdir(parent), [basename(one.path)])
  }
  await t.throwsAsync(access(parent), { code: 'ENOENT' })
})

test('one inside another leaves that to its owner', async (t) => {
  await using outer = await makeScratch(await scratch(t))
  {
    await using _inner = await makeScratch(outer.path)
  }
  t.deepEqual(await readdir(outer.path), [])
})

test('its name tells the process and when that began', async (t) => {
  await using made = await makeScratch(await scratch(t))
  const [pid, start] = basename(made.path).split('.')
  t.is(pid, String(process.pid))
  const fields = (await readFile('/proc/self/stat', 'utf8')).split(') ').at(-1)?.split(' ')
  t.is(start, fields?.[19])
  t.is(await scratchOwner(), `${pid}.${start}`)
})

test('a sweep takes what ended processes have left, and nothing else', async (t) => {
  const parent = await scratch(t)
  await using mine = await makeScratch(parent)
  const [pid, start] = basename(mine.path).split('.')
  const dead = ['4194999.123.abc', `${pid}.${Number(start) - 1}.abc`, `1.${start}9.abc`]
  const others = ['unrelated', 'no.number.here']
  for (const name of [...dead, ...others]) await mkdir(join(parent, name, 'below'), { recursive: true })
  t.is(await sweepScratch(parent), dead.length)
  t.deepEqual((await readdir(parent)).sort(), [...others, basename(mine.path)].sort())
})

const isRoot = process.getuid?.() === 0
const asUser = isRoot ? test.skip : test

asUser(
  `what may not be removed stays, and stops nothing${isRoot ? ' (skipped: root may remove anything)' : ''}`,
  async (t) => {
    const parent = await scratch(t)
    const [locked, dead] = [join(parent, '4194998.1.abc'), join(parent, '4194999.1.abc')]
    for (const path of [locked, dead]) await mkdir(join(path, 'below'), { recursive: true })
    await chmod(locked, 0)
    t.teardown(() => chmod(locked, 0o700))
    t.is(await sweepScratch(parent), 1)
    t.deepEqual(await readdir(parent), [basename(locked)])
  },
)

test('a parent that held nothing else goes along', async (t) => {
  const parent = join(await scratch(t), 'work')
  await mkdir(join(parent, '4194999.123.abc'), { recursive: true })
  t.is(await sweepScratch(parent), 1)
  await t.throwsAsync(access(parent), { code: 'ENOENT' })
})

test('a parent that is not there needs no sweep', async (t) => {
  t.is(await sweepScratch(join(await scratch(t), 'absent')), 0)
})
