import { access, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Label } from '../../builder/card/label.ts'
import { openSheet } from '../../builder/card/sheet.ts'
import { scratch } from '../support/scratch.ts'

const label = (hostname: string): Label => ({
  hostname,
  role: undefined,
  addresses: [],
  portal: undefined,
  wifi: undefined,
  login: { user: 'admin', password: 'bcdefghjknprstuv' },
})

test('a sheet grows, and only its owner may read it', async (t) => {
  const path = join(await scratch(t), 'labels.html')
  {
    await using sheet = await openSheet(path, 'mesh.img')
    t.is((await stat(path)).mode & 0o777, 0o600, 'from the beginning')
    await sheet.add(label('alder'), 1)
    t.true((await readFile(path, 'utf8')).includes('<h2>alder</h2>'))
    await Promise.all([sheet.add(label('cedar'), 3), sheet.add(label('birch'), 2), sheet.add(label('ash'), 0)])
  }
  const text = await readFile(path, 'utf8')
  t.deepEqual(
    [...text.matchAll(/<h2>(.*)<\/h2>/g)].map(([, name]) => name),
    ['ash', 'alder', 'birch', 'cedar'],
    'in their turn',
  )
  t.is((await stat(path)).mode & 0o777, 0o600)
  await t.throwsAsync(access(`${path}.new`), { code: 'ENOENT' })
})

const isRoot = process.getuid?.() === 0
test.serial(
  isRoot ? 'whoever called sudo may read the sheet' : 'whoever called sudo may read it (skipped: needs root)',
  async (t) => {
    if (!isRoot) return t.pass()
    const path = join(await scratch(t), 'labels.html')
    Object.assign(process.env, { SUDO_UID: '12345', SUDO_GID: '12346' })
    try {
      await using sheet = await openSheet(path, 'mesh.img')
      await sheet.add(label('alder'), 0)
    } finally {
      delete process.env.SUDO_UID
      delete process.env.SUDO_GID
    }
    const { uid, gid, mode } = await stat(path)
    t.deepEqual([uid, gid, mode & 0o777], [12345, 12346, 0o600])
  },
)

test('a sheet without labels goes', async (t) => {
  const path = join(await scratch(t), 'labels.html')
  {
    await using _sheet = await openSheet(path, 'mesh.img')
  }
  await t.throwsAsync(access(path), { code: 'ENOENT' })
})

test('a file that is there is not written over', async (t) => {
  const path = join(await scratch(t), 'labels.html')
  await writeFile(path, 'of yesterday')
  await t.throwsAsync(openSheet(path, 'mesh.img'), { code: 'USAGE', message: `\`${path}\` is there already.` })
  t.is(await readFile(path, 'utf8'), 'of yesterday')
})

test('a folder that is not there is said before any card is written', async (t) => {
  const path = join(await scratch(t), 'file')
  await writeFile(path, '')
  await t.throwsAsync(openSheet(join(path, 'labels.html'), 'mesh.img'), { code: 'USAGE' })
  const missing = join(path, '..', 'no', 'labels.html')
  await t.throwsAsync(openSheet(missing, 'mesh.img'), { message: `There is no folder for \`${missing}\`.` })
})
