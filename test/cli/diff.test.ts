import test from 'ava'
import { renderDiff } from '../../builder/cli/diff.ts'
import type { ImageDiff, OwnedDifference } from '../../builder/inspect/diff.ts'
import { plainly } from '../../builder/report/style.ts'

const nothing: ImageDiff = {
  isSame: true,
  facts: [],
  entries: [],
  stages: [],
  packages: [],
  npm: [],
  usedBefore: 1000,
  usedAfter: 1000,
}
const file = { kind: 'file' as const, usedBytes: 4096, mtimeSeconds: 0, inode: 12 }
const changed = (path: string, owner?: string): OwnedDifference => ({
  partition: 2,
  path,
  change: 'changed',
  aspects: ['content', 'time'],
  before: { ...file, path, sizeBytes: 100 },
  after: { ...file, path, sizeBytes: 1300 },
  ...(owner === undefined ? {} : { package: owner }),
})
const names = ['a.img', 'b.img'] as const

test('images that are the same', (t) => {
  t.deepEqual(renderDiff(nothing, { names, paint: plainly, all: false }), [
    'The same: table, file systems and every file.',
  ])
})

const found: ImageDiff = {
  ...nothing,
  isSame: false,
  facts: [{ where: 'image', what: 'disk id', before: '0badcafe', after: '12345678' }],
  stages: [{ name: 'wiki', before: undefined, after: '0.1.0', sizeBefore: 0, sizeAfter: 5000 }],
  packages: [{ name: 'php', before: '8.4-1', after: '8.4-2', sizeBefore: 8192, sizeAfter: 4096 }],
  npm: [{ name: 'ws', before: '7.0.0', after: undefined, sizeBefore: undefined, sizeAfter: undefined }],
  entries: [
    changed('/etc/fstab'),
    changed('/usr/bin/php', 'php'),
    { partition: 2, path: '/usr/bin/new', change: 'added', aspects: [], after: { ...file, path: '', sizeBytes: 2000 } },
  ],
  usedAfter: 6000,
}

test('what a change of a package explains is not named, unless it is asked for', (t) => {
  const lines = [
    'a.img → b.img: +5.0 kB in use',
    '',
    'Image',
    '  image  disk id  0badcafe → 12345678',
    '',
    'Stages',
    '  + wiki  0.1.0  +5.0 kB',
    '',
    'Debian packages',
    '  ~ php  8.4-1 → 8.4-2  -4.1 kB',
    '',
    'npm packages',
    '  - ws  7.0.0',
    '',
  ]
  t.deepEqual(renderDiff(found, { names, paint: plainly, all: false }), [
    ...lines,
    'Files, without those of the packages above',
    '  ~ 2:/etc/fstab    content, time (+1.2 kB)',
    '  + 2:/usr/bin/new  2.0 kB',
    '',
    '1 more files differ: --all',
  ])
  t.deepEqual(renderDiff(found, { names, paint: plainly, all: true }), [
    ...lines,
    'Files',
    '  ~ 2:/etc/fstab    content, time (+1.2 kB)',
    '  ~ 2:/usr/bin/php  content, time (+1.2 kB)  php',
    '  + 2:/usr/bin/new  2.0 kB',
  ])
})

test('many files are cut short, and counted', (t) => {
  const entries = Array.from({ length: 100 }, (_, index) => changed(`/etc/${index}`))
  const lines = renderDiff({ ...nothing, isSame: false, entries }, { names, paint: plainly, all: false })
  t.is(lines.filter((line) => line.includes('2:/etc/')).length, 40)
  t.is(lines.at(-1), '60 more files differ: --all')
})
