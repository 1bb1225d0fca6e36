import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import { isTreeCurrent, readTreePackages, treeKey } from '../../builder/host/tree.ts'

const a = { name: 'a', sha256: hashBytes('a') }
const b = { name: 'b', sha256: hashBytes('b') }

test('the key of a tree depends on its packages, not on their order', (t) => {
  t.is(treeKey([a, b]), treeKey([b, a]))
  t.not(treeKey([a, b]), treeKey([a]))
  t.not(treeKey([a]), treeKey([{ ...a, sha256: b.sha256 }]))
})

test('a tree is current only with its own stamp', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'pibake-test-tree-'))
  const key = treeKey([a])
  t.false(await isTreeCurrent(join(root, 'absent'), key))
  t.false(await isTreeCurrent(root, key))
  await writeFile(join(root, '.pibake-tree.json'), JSON.stringify({ key, digest: key }))
  t.true(await isTreeCurrent(root, key))
  t.false(await isTreeCurrent(root, treeKey([b])))
  await writeFile(join(root, '.pibake-tree.json'), '{"key":')
  t.false(await isTreeCurrent(root, key))
})

test('the packages of a tree that pibake has not made are unknown', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'pibake-test-tree-'))
  await mkdir(join(root, 'usr'))
  t.deepEqual(await readTreePackages(root), {})
})
