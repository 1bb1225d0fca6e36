import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { projectAt } from '../../builder/core/project.ts'
import {
  formatLock,
  lockPath,
  readLock,
  readToolsLock,
  toolsLockPath,
  writeLock,
  writeToolsLock,
} from '../../builder/lock/file.ts'
import type { ToolsLock } from '../../builder/lock/schema.ts'
import { checkout } from '../support/tools.ts'
import { deb, lock } from './_lock.ts'

const folder = await mkdtemp(join(tmpdir(), 'pibake-test-lock-'))

test('places', (t) => {
  t.is(lockPath('/l', 'pub'), '/l/pub.lock.json')
  t.is(toolsLockPath('/l', 'trixie', 'amd64'), '/l/tools-trixie-amd64.lock.json')
})

test('what is written is what is read, in one order, with nothing left beside it', async (t) => {
  const path = join(folder, 'written', 'pub.lock.json')
  await writeLock(path, lock)
  const read = await readLock(path)
  t.deepEqual(
    read?.steps[0]?.debs.map(({ name }) => name),
    ['a', 'b'],
  )
  t.deepEqual(read && { ...read, steps: [] }, { ...lock, steps: [] })
  t.deepEqual(await readdir(join(folder, 'written')), ['pub.lock.json'])
  t.is(await readFile(path, 'utf8'), formatLock(lock))
})

test('a package of another suite says so', async (t) => {
  const path = join(folder, 'suite.lock.json')
  const from = { ...deb('synapse'), suite: 'sid' }
  await writeLock(path, { ...lock, steps: [{ name: 'base', debs: [from, deb('a')] }] })
  t.deepEqual((await readLock(path))?.steps[0]?.debs, [deb('a'), from])
})

test('equal locks have equal text, whatever their order', (t) => {
  const { steps, ...rest } = lock
  const reversed = { steps: steps.map((step) => ({ debs: [...step.debs].reverse(), name: step.name })), ...rest }
  t.is(formatLock(reversed), formatLock(lock))
  t.true(formatLock(lock).endsWith('}\n'))
  t.true(formatLock(lock).startsWith('{\n  "version": 1,\n  "profile": "pub",\n'))
})

test('the locks of this checkout are as they would be written, so that fetching again changes nothing', async (t) => {
  const { locks } = projectAt(checkout)
  const names = (await readdir(locks)).filter((name) => /^(?!tools-).*\.lock\.json$/.test(name))
  t.true(names.includes('pub.lock.json'))
  for (const name of names) {
    const path = join(locks, name)
    const lock = await readLock(path)
    t.is(lock && formatLock(lock), await readFile(path, 'utf8'), name)
  }
})

test('a tools lock', async (t) => {
  const path = join(folder, 'tools.lock.json')
  const { suite, architecture, request, time, indexes } = lock
  const tools: ToolsLock = { version: 1, suite, architecture, request, time, indexes, first: ['a'], debs: [deb('a')] }
  await writeToolsLock(path, tools)
  t.deepEqual(await readToolsLock(path), tools)
})

test('no lock is no error', async (t) => {
  t.is(await readLock(join(folder, 'absent.lock.json')), undefined)
})

const json = JSON.parse(formatLock(lock)) as Record<string, unknown>
const withPath = (path: string) => ({ ...json, extras: [{ ...deb('x'), path }] })
const refused: Readonly<Record<string, string>> = {
  'cut off': formatLock(lock).slice(0, 100),
  'of another version': JSON.stringify({ ...json, version: 2 }),
  'with a field that nobody knows': JSON.stringify({ ...json, mirror: 'http://m/debian' }),
  'without a field': JSON.stringify({ ...json, time: undefined }),
  'with a digest too short': JSON.stringify({ ...json, request: 'abc' }),
  'with an address': JSON.stringify(withPath('http://m/debian/pool/x.deb')),
  'with an absolute path': JSON.stringify(withPath('/pool/x.deb')),
  'with a path that climbs': JSON.stringify(withPath('pool/../../x.deb')),
  'that is a list': '[]',
}

for (const [name, text] of Object.entries(refused)) {
  test(`a lock ${name} is refused, naming its file`, async (t) => {
    const path = join(folder, `${name.replaceAll(' ', '-')}.lock.json`)
    await writeFile(path, text)
    const error = await t.throwsAsync(readLock(path), { instanceOf: PibakeError })
    t.is(error?.code, 'LOCK_INVALID')
    t.true(error?.message.includes(path))
    t.true((error?.details.length ?? 0) > 0)
  })
}

test('a lock that could not be read again is not written', async (t) => {
  const path = join(folder, 'never.lock.json')
  await t.throwsAsync(writeLock(path, { ...lock, extras: [{ ...deb('x'), path: 'http://m/x.deb' }] }))
  t.is(await readLock(path), undefined)
})
