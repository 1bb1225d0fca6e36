import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { readNpmTree } from '../../builder/fetch/npm.ts'
import { scratch } from '../support/scratch.ts'

const integrity = `sha512-${'A'.repeat(86)}==`
const plain = { version: '1.0.0', integrity }

const write = async (
  t: ExecutionContext,
  packages: Record<string, unknown>,
  more: { manifest?: unknown; lockfileVersion?: number } = {},
) => {
  const folder = await scratch(t)
  const manifest = more.manifest ?? { name: 'tree' }
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
  const lock = { name: 'tree', lockfileVersion: more.lockfileVersion ?? 3, packages: { '': manifest, ...packages } }
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify(lock))
  return folder
}

test('names, places and integrities, sorted by place', async (t) => {
  const folder = await write(t, {
    'node_modules/b': { ...plain, integrity: `sha1-xyz ${integrity}` },
    'node_modules/@scope/a': plain,
    'node_modules/b/node_modules/@scope/a': { ...plain, version: '2.0.0-rc.1' },
    'node_modules/alias': { ...plain, name: '@real/name' },
  })
  const tree = await readNpmTree(folder)
  t.deepEqual(
    tree.map(({ name, version, path }) => [name, version, path]),
    [
      ['@scope/a', '1.0.0', 'node_modules/@scope/a'],
      ['@real/name', '1.0.0', 'node_modules/alias'],
      ['b', '1.0.0', 'node_modules/b'],
      ['@scope/a', '2.0.0-rc.1', 'node_modules/b/node_modules/@scope/a'],
    ],
  )
  t.deepEqual(Object.keys(tree[0] ?? {}).sort(), ['integrity', 'name', 'path', 'version'])
})

test('what does not belong on the image is left out', async (t) => {
  const optional = true
  const folder = await write(t, {
    'node_modules/arm': { ...plain, optional, os: ['linux'], cpu: ['arm64'], libc: ['glibc'] },
    'node_modules/not-windows': { ...plain, os: ['!win32'] },
    'node_modules/any': { ...plain, cpu: 'any' },
    'node_modules/x64': { ...plain, optional, os: ['linux'], cpu: ['x64'] },
    'node_modules/mac': { ...plain, optional, os: ['darwin'] },
    'node_modules/musl': { ...plain, optional, libc: ['musl'] },
    'node_modules/not-linux': { ...plain, devOptional: true, os: ['!linux'] },
    'node_modules/dev': { ...plain, dev: true },
    'node_modules/dev-or-optional': { ...plain, devOptional: true },
    'node_modules/extra': { ...plain, extraneous: true },
    'node_modules/any/node_modules/bundled': { version: '1.0.0', inBundle: true },
  })
  const paths = (await readNpmTree(folder)).map(({ name }) => name)
  t.deepEqual(paths, ['any', 'arm', 'dev-or-optional', 'not-windows'])
})

const refused: [title: string, path: string, entry: object, message: RegExp][] = [
  ['no integrity', 'node_modules/x', { version: '1.0.0' }, /`node_modules\/x`.*has no integrity/],
  ['a weak integrity', 'node_modules/x', { version: '1.0.0', integrity: 'sha1-abc=' }, /not a sha512/],
  ['no version', 'node_modules/x', { integrity }, /has no version/],
  ['a link', 'node_modules/x', { resolved: 'packages/x', link: true }, /is a link/],
  ['git', 'node_modules/x', { ...plain, resolved: 'git+ssh://git@host.invalid/x.git#1' }, /comes from git/],
  ['a local tarball', 'node_modules/x', { ...plain, resolved: 'file:x.tgz' }, /comes from a local file/],
  ['a workspace', 'packages/x', plain, /not a place below/],
  ['a place outside', 'node_modules/../../etc', plain, /not a place below/],
  ['a hidden place', 'node_modules/.bin', plain, /not a place below/],
  ['an impossible name', 'node_modules/x', { ...plain, name: '../../x' }, /impossible name/],
  ['an impossible version', 'node_modules/x', { ...plain, version: '../1' }, /has no version/],
  [
    'a needed package for others',
    'node_modules/x',
    { ...plain, cpu: ['x64'] },
    /does not run on the image: cpu is x64/,
  ],
]

for (const [title, path, entry, message] of refused) {
  test(`refused: ${title}`, async (t) => {
    const folder = await write(t, { [path]: entry })
    await t.throwsAsync(readNpmTree(folder), { instanceOf: PibakeError, code: 'LOCK_INVALID', message })
  })
}

test('a lock of another version, of another package.json, or none', async (t) => {
  await t.throwsAsync(readNpmTree(await write(t, {}, { lockfileVersion: 1 })), { code: 'LOCK_INVALID' })
  const folder = await write(t, {}, { manifest: { dependencies: { ip: '2.0.1' } } })
  await t.notThrowsAsync(readNpmTree(folder))
  await writeFile(join(folder, 'package.json'), JSON.stringify({ dependencies: { ip: '2.0.2' } }))
  await t.throwsAsync(readNpmTree(folder), { code: 'LOCK_STALE', message: /another `ip`/ })
  await writeFile(join(folder, 'package-lock.json'), '{')
  await t.throwsAsync(readNpmTree(folder), { code: 'LOCK_INVALID', message: /not JSON/ })
  await t.throwsAsync(readNpmTree(join(folder, 'absent')), { code: 'CONFIG_INVALID' })
})
