import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { hashBytes, type Sha256 } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { treeKey } from '../../builder/host/tree.ts'
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

const place = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-test-tools-'))
  const destination = join(folder, 'tree')
  return { folder, destination, blobPath: (sha256: Sha256) => join(folder, sha256), emit: () => {} }
}

test('a tree that is there needs no packages', async (t) => {
  const at = await place()
  await mkdir(at.destination)
  await writeFile(join(at.destination, '.pibake-tree.json'), JSON.stringify({ key: treeKey([deb('a')]) }))
  t.deepEqual(await openToolsTree({ ...at, lock: tools(deb('a')) }), { root: at.destination })
})

test('every missing package is named', async (t) => {
  const at = await place()
  await writeFile(at.blobPath(deb('b').sha256), 'b 1')
  const work = openToolsTree({ ...at, lock: tools(deb('a'), deb('b'), deb('c', '2')) })
  const error = await t.throwsAsync(work, { instanceOf: PibakeError })
  t.is(error?.code, 'MISSING_OFFLINE')
  t.deepEqual(error?.details, ['a 1 (10 B)', 'c 2 (10 B)'])
})

test('every damaged package is named', async (t) => {
  const at = await place()
  await writeFile(at.blobPath(deb('a').sha256), 'a 1')
  await writeFile(at.blobPath(deb('b').sha256), 'damaged')
  t.is(hashBytes('a 1'), deb('a').sha256)
  const error = await t.throwsAsync(openToolsTree({ ...at, lock: tools(deb('a'), deb('b')) }), {
    instanceOf: PibakeError,
  })
  t.is(error?.code, 'CACHE_CORRUPT')
  t.deepEqual(error?.details, [`b 1: ${at.blobPath(deb('b').sha256)}`])
})
