import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { bindFolder } from '../../builder/host/tree-binds.ts'
import { scratch } from '../support/scratch.ts'

const makeTree = async (tree: string): Promise<void> => {
  for (const path of ['cache', 'lib/apt', 'lib/dpkg']) await mkdir(join(tree, path), { recursive: true })
  await writeFile(join(tree, 'lib/list'), '')
  await symlink('/run', join(tree, 'run'))
}

for (const paths of [[], ['/srv/x'], ['/var'], ['/variable/x']]) {
  test(`for ${paths.join() || 'nothing'} it is shown as it is`, (t) => {
    t.deepEqual(bindFolder('/no/such/tree', '/var', paths), ['--ro-bind', '/no/such/tree', '/var'])
  })
}

test('the folders on the way are made anew, with what is beside it', async (t) => {
  const tree = await scratch(t)
  await makeTree(tree)
  const words = bindFolder(tree, '/var', ['/var/lib/desk/work', '/srv/x'])
  const lines = words.join(' ').replaceAll(tree, 'TREE').replaceAll(' --', '\n--').split('\n')
  t.deepEqual(lines.slice(0, 1), ['--dir /var'])
  t.true(lines.indexOf('--dir /var/lib') < lines.indexOf('--ro-bind TREE/lib/apt /var/lib/apt'))
  t.deepEqual(lines.sort(), [
    '--dir /var',
    '--dir /var/lib',
    '--ro-bind TREE/cache /var/cache',
    '--ro-bind TREE/lib/apt /var/lib/apt',
    '--ro-bind TREE/lib/dpkg /var/lib/dpkg',
    '--ro-bind TREE/lib/list /var/lib/list',
    '--symlink /run /var/run',
  ])
})
