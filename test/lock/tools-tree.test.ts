import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'ava'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import type { ToolsLock } from '../../builder/lock/schema.ts'
import { openToolsTree } from '../../builder/lock/tools-tree.ts'
import { deb, lock } from './_lock.ts'

const { suite, architecture, request, time, indexes } = lock
const tools = (...debs: ToolsLock['debs']): ToolsLock => ({
  version: 1,
  suite,
  architecture,
  request,
  time,
  indexes,
  first: [],
  debs,
})

const put = async (path: string, text: string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}

const place = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-test-tools-'))
  const destination = join(folder, 'tree')
  return { destination, blobs: openBlobs(join(folder, 'cache')), emit: () => {} }
}

test('every missing package is named', async (t) => {
  const at = await place()
  await put(at.blobs.blobPath(deb('b').sha256), 'b 1')
  const work = openToolsTree({ ...at, lock: tools(deb('a'), deb('b'), deb('c', '2')) })
  const error = await t.throwsAsync(work, { instanceOf: PibakeError })
  t.is(error?.code, 'MISSING_OFFLINE')
  t.deepEqual(
    error?.details.map((line) => line.replace(/, sha256.*/, '')),
    ['a 1, 3 B', 'c 2, 3 B'],
  )
})

test('every damaged package is named', async (t) => {
  const at = await place()
  await put(at.blobs.blobPath(deb('a').sha256), 'a 1')
  await put(at.blobs.blobPath(deb('b').sha256), 'bad')
  t.is(hashBytes('a 1'), deb('a').sha256)
  const error = await t.throwsAsync(openToolsTree({ ...at, lock: tools(deb('a'), deb('b')) }), {
    instanceOf: PibakeError,
  })
  t.is(error?.code, 'CACHE_CORRUPT')
  t.is(error?.details.length, 1)
  t.regex(error?.details[0] ?? '', /^b 1, /)
})
