import { join } from 'node:path'
import test from 'ava'
import { hashFile } from '../../builder/core/digest.ts'
import { inspectTree, treeKey, unpackTree } from '../../builder/host/tree.ts'
import { makeDeb } from '../support/make-deb.ts'
import { scratch } from '../support/scratch.ts'
import { tools } from '../support/tools.ts'

test('a tree without tools of its own is read with those that unpacked it', async (t) => {
  const folder = await scratch(t)
  const path = await makeDeb(join(folder, 'a.deb'), { control: { control: '' }, data: { 'usr/bin/a': 'a' } })
  const debs = [{ name: 'a', version: '1', sha256: await hashFile(path), path }]
  const destination = join(folder, 'tree')
  await unpackTree({ debs, destination, first: new Set(), tools, emit: () => {} })
  t.is(await inspectTree(destination, treeKey(debs), { tools }), 'current')
  t.is(await inspectTree(destination, treeKey(debs)), 'damaged', 'it holds neither bubblewrap nor tar')
})
