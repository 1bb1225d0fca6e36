import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import { projectAt, scratchFolders } from '../../builder/core/project.ts'
import { runCommand, spawnCommand } from '../../builder/host/command.ts'
import { sweepScratch } from '../../builder/host/scratch.ts'
import { isTreeCurrent, readTreePackages, treeKey, unpackTree } from '../../builder/host/tree.ts'
import { treePath } from '../../builder/lock/trees.ts'
import { scratch } from '../support/scratch.ts'

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

const namesBelow = async (folder: string): Promise<string[]> => readdir(folder, { recursive: true }).catch(() => [])

test('an unpacking that is killed leaves nothing that the next command does not sweep', async (t) => {
  const project = projectAt(await scratch(t))
  const destination = treePath(project, 'trixie')
  // Nobody writes to it: the unpacking waits for its first byte.
  const pipe = join(project.root, 'a.deb')
  await runCommand(['mkfifo', pipe])
  const fixture = join(import.meta.dirname, 'fixtures', 'unpack-tree.ts')
  const unpacking = spawnCommand([process.execPath, fixture, pipe, destination])
  for (let waited = 0; waited < 400 && (await namesBelow(project.state)).length < 3; waited += 1) await sleep(25)
  unpacking.kill('SIGKILL')
  t.is((await unpacking).signal, 'SIGKILL')
  t.true((await namesBelow(project.state)).length >= 3, 'it was under way')
  for (const folder of scratchFolders(project)) await sweepScratch(folder)
  t.deepEqual(await namesBelow(project.state), [])
})

test('an unpacking that fails leaves the tree that was there, and nothing else', async (t) => {
  const folder = await scratch(t)
  const destination = join(folder, 'tree')
  await mkdir(destination)
  await writeFile(join(destination, 'before'), '')
  const path = join(folder, 'a.deb')
  await writeFile(path, 'no package')
  const debs = [{ ...a, version: '1', path }]
  await t.throwsAsync(unpackTree({ debs, destination, first: new Set(['a']), emit: () => {} }))
  t.deepEqual((await readdir(folder, { recursive: true })).sort(), ['a.deb', 'tree', 'tree/before'])
})
