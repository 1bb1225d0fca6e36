import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import { derive } from '../../builder/cache/derived.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { scratch } from '../support/scratch.ts'

const options = { key: hashBytes('inputs'), label: 'repacked linux-image' }

const counted = (text = 'made') => {
  const calls: string[] = []
  const produce = async (path: string): Promise<void> => {
    calls.push(path)
    await writeFile(path, text)
  }
  return { calls, produce }
}

test('a file is made once for a key and read afterwards', async (t) => {
  const cache = await scratch(t)
  const { calls, produce } = counted()
  const first = await derive(cache, options, produce)
  const second = await derive(cache, options, produce)
  t.is(calls.length, 1)
  t.deepEqual([first.cached, second.cached], [false, true])
  t.deepEqual(second, { ...first, cached: true })
  t.is(first.sha256, hashBytes('made'))
  t.is(await readFile(first.path, 'utf8'), 'made')
  t.is(dirname(first.path), join(cache, 'derived', options.key))
  t.deepEqual(await readdir(cache), ['derived'])
})

test('a damaged file is named and dropped, then made anew', async (t) => {
  const cache = await scratch(t)
  const { calls, produce } = counted()
  const { path } = await derive(cache, options, produce)
  await writeFile(path, 'MADE')
  const error = await t.throwsAsync(derive(cache, options, produce), { instanceOf: PibakeError, code: 'CACHE_CORRUPT' })
  t.regex(error?.message ?? '', /repacked linux-image/)
  t.is(calls.length, 1)
  t.is(await readFile((await derive(cache, options, produce)).path, 'utf8'), 'made')
  t.is(calls.length, 2)
})

test('a failed or half-made file leaves nothing that counts', async (t) => {
  const cache = await scratch(t)
  const failing = async (path: string): Promise<void> => {
    await writeFile(path, 'half')
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
  }
  await t.throwsAsync(derive(cache, options, failing), { code: 'DISK_FULL' })
  t.deepEqual(await readdir(cache), [])
  const { calls, produce } = counted()
  const { path } = await derive(cache, options, produce)
  await rm(join(dirname(path), 'record.json'))
  await derive(cache, options, produce)
  t.is(calls.length, 2)
})

test('two that make the same file at once both get a right one', async (t) => {
  const cache = await scratch(t)
  const results = await Promise.all(
    ['one', 'two', 'three'].map((text) => derive(cache, options, counted(text).produce)),
  )
  t.is(results.length, 3)
  const { sha256, path, cached } = await derive(cache, options, counted('never').produce)
  t.true(cached)
  t.is(hashBytes(await readFile(path)), sha256)
})
