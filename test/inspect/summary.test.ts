import test from 'ava'
import { compareSummaries } from '../../builder/inspect/changes.ts'
import type { ImageTree } from '../../builder/inspect/image-tree.ts'
import { type ImageSummary, summariseImage } from '../../builder/inspect/summary.ts'
import { type Content, volumeOf } from '../support/volume.ts'

const paragraph = (fields: Record<string, string>): string =>
  Object.entries({ Status: 'install ok installed', Architecture: 'arm64', ...fields })
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n')

const status = [
  paragraph({ Package: 'dpkg', Version: '1.22', Essential: 'yes', Description: 'package manager\n Long text.' }),
  paragraph({ Package: 'pibake-wiki', Version: '0.2.0', Depends: 'php (>= 8), dpkg' }),
  paragraph({ Package: 'php', Version: '8.4-1', 'Multi-Arch': 'same' }),
  paragraph({ Package: 'gone', Version: '1', Status: 'deinstall ok config-files' }),
].join('\n\n')

const files: Record<string, Content> = {
  '/lib': { link: 'usr/lib' },
  '/etc/os-release': { link: '../usr/lib/os-release' },
  '/usr/lib/os-release': 'NAME=Debian\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
  '/etc/hostname': 'hub\n',
  '/etc/systemd/system/multi-user.target.wants/wiki.service': { link: '/lib/systemd/system/wiki.service' },
  '/etc/systemd/system/multi-user.target.wants/broken.service': { link: '/nowhere' },
  '/usr/lib/systemd/system/wiki.service': '[Unit]\nDescription=The wiki\n',
  '/usr/lib/modules/6.12-arm64/modules.order': 'x'.repeat(5000),
  '/usr/share/pibake/stages/wiki.json':
    '{"name":"wiki","version":"0.2.0","summary":"A wiki","checks":[{"title":"it answers"}]}',
  '/usr/share/pibake/stages/other.json': '{"none": "of ours"}',
  '/usr/lib/python3/wiki.py': 'pass\n',
  '/usr/lib/python3/__pycache__/wiki.cpython-313.pyc': 'compiled',
  '/usr/share/doc/php/copyright': 'Format: 1.0\n\nFiles: *\nLicense: PHP-3.01\n',
  '/usr/bin/dpkg': 'x'.repeat(9000),
  '/opt/pibake/wiki/node_modules/@a/b/package.json': '{"name":"@a/b","version":"1.0.0","license":"MIT"}',
  '/opt/pibake/wiki/node_modules/c/package.json': '{"name":"c","version":"2.0.0","licenses":[{"type":"ISC"},"BSD"]}',
  '/opt/pibake/wiki/node_modules/c/test/package.json': '{"name":"test","version":"9.9.9"}',
  '/opt/pibake/wiki/node_modules/broken/package.json': '{',
  '/srv/pibake/mirror/pool/x.deb': 'x'.repeat(4096),
  '/var/lib/dpkg/status': status,
  '/var/lib/dpkg/info/dpkg.list': '/.\n/usr\n/usr/bin\n/usr/bin/dpkg\n',
  '/var/lib/dpkg/info/php:arm64.list': '/.\n/usr/share/doc/php\n/usr/share/doc/php/copyright\n',
  '/var/lib/dpkg/info/pibake-wiki.list':
    '/.\n/lib/systemd/system/wiki.service\n/usr/lib/python3/wiki.py\n/usr/share/pibake/stages/wiki.json\n',
}

const treeOf = (content: Readonly<Record<string, Content>>): ImageTree => ({
  path: '/somewhere/hub.img',
  sizeBytes: 100 << 20,
  diskId: '0badcafe',
  partitions: [{ number: 2, type: 0x83, startSector: 2048, sectors: 131_072, volume: volumeOf(content) }],
  [Symbol.asyncDispose]: async () => undefined,
})

const summaryOf = (content: Readonly<Record<string, Content>>): ImageSummary => summariseImage(treeOf(content))

test('what is in an image, and whose it is', (t) => {
  const { image, system, stages, packages, npm, services, partitions } = summaryOf(files)
  t.is(image, 'hub.img')
  t.deepEqual(system, {
    name: 'Debian GNU/Linux 13 (trixie)',
    hostname: 'hub',
    architecture: 'arm64',
    kernels: ['6.12-arm64'],
  })
  t.like(partitions[0], { number: 2, fileSystem: 'ext4', startBytes: 1 << 20, sizeBytes: 64 << 20, label: 'rootfs' })
  t.deepEqual(
    packages.map(({ name, stage, sizeBytes, files }) => [name, stage, sizeBytes, files]),
    [
      ['dpkg', 'base', 12_288, 1],
      ['php', 'wiki', 4096, 1],
      // Its unit through the link /lib, and the bytecode of its module.
      ['pibake-wiki', 'wiki', 16_384, 4],
    ],
  )
  t.is(packages[0]?.summary, 'package manager')
  t.deepEqual(packages[1]?.licences, ['PHP-3.01'])
  t.deepEqual(
    stages.map(({ name, version, packages: brought, sizeBytes, checks }) => [
      name,
      version,
      brought,
      sizeBytes,
      checks,
    ]),
    [
      ['base', undefined, 1, 12_288, []],
      ['wiki', '0.2.0', 2, 20_480, ['it answers']],
    ],
  )
  t.deepEqual(npm, [
    { name: '@a/b', version: '1.0.0', stage: 'wiki', licences: ['MIT'] },
    { name: 'c', version: '2.0.0', stage: 'wiki', licences: ['BSD-3-Clause', 'ISC'] },
  ])
  t.deepEqual(services, [{ name: 'wiki.service', description: 'The wiki', stage: 'wiki' }])
})

test('every block that is used is somebody’s', (t) => {
  const { packages, others, overheadBytes, partitions } = summaryOf(files)
  const parts = [...packages, ...others].reduce((sum, { sizeBytes }) => sum + sizeBytes, overheadBytes)
  t.is(parts, partitions[0]?.usedBytes ?? 0)
  t.is(others.find(({ path }) => path === '/srv/pibake/mirror')?.sizeBytes, 4096)
})

test('a lock knows better which stage brought a package', (t) => {
  const { packages } = summariseImage(treeOf(files), { origins: new Map([['php', 'base']]) })
  t.is(packages.find(({ name }) => name === 'php')?.stage, 'base')
  t.is(packages.find(({ name }) => name === 'pibake-wiki')?.stage, 'wiki')
})

test('an image without a system is told by its partitions alone', (t) => {
  t.like(summaryOf({}), { packages: [], stages: [], system: { name: 'unknown' } })
})

test('what changed from one image to another', (t) => {
  const before = summaryOf(files)
  const newer = `${status.replace('8.4-1', '8.4-2').replace('gone', 'come').replace('deinstall ok config-files', 'hold ok installed')}\n`
  const after = summaryOf({
    ...files,
    '/var/lib/dpkg/status': newer,
    '/opt/pibake/wiki/node_modules/c/package.json': '{"name":"c","version":"3.0.0"}',
    '/var/lib/dpkg/info/come.list': '/usr/bin/come\n',
    '/usr/bin/come': 'x',
  })
  const changes = compareSummaries(before, after)
  t.deepEqual(changes.packages, [
    { name: 'come', before: undefined, after: '1', sizeBefore: 0, sizeAfter: 4096 },
    { name: 'php', before: '8.4-1', after: '8.4-2', sizeBefore: 4096, sizeAfter: 4096 },
  ])
  t.deepEqual(changes.npm, [
    { name: 'c', before: '2.0.0', after: '3.0.0', sizeBefore: undefined, sizeAfter: undefined },
  ])
  t.deepEqual(changes.stages, [])
  t.is(changes.usedAfter - changes.usedBefore, 8192, 'the file and its list')
  const back = compareSummaries(after, before).packages[0]
  t.like(back, { name: 'come', before: '1', after: undefined, sizeBefore: 4096, sizeAfter: 0 })
})
