import { join, resolve } from 'node:path'
import test from 'ava'
import type { Change } from '../../builder/bundle/import-changes.ts'
import type { Manifest } from '../../builder/bundle/profile-bundle.ts'
import { bundleDestination } from '../../builder/cli/export.ts'
import { renderChanges, renderContents } from '../../builder/cli/import.ts'
import { parseCommandLine } from '../../builder/cli/parse.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { projectAt } from '../../builder/core/project.ts'
import { plainly } from '../../builder/report/style.ts'

const project = projectAt('/checkout')

const manifest: Manifest = {
  format: 'pibake-bundle-1',
  profile: 'hub',
  pibake: '1.2.3',
  files: [
    { path: 'stages/web/checks/up', mode: '0755', sizeBytes: 1500, sha256: hashBytes('up') },
    { path: 'stages/web/stage.yaml', mode: '0644', sizeBytes: 80, sha256: hashBytes('yaml') },
  ],
}

const changes: Change[] = [
  { path: 'a', state: 'new' },
  { path: 'b', state: 'differs' },
  { path: 'c', state: 'extra' },
  { path: 'd', state: 'same' },
]

test('where a bundle goes', (t) => {
  t.is(bundleDestination(project, 'hub', undefined), '/checkout/images/hub.asar')
  t.is(bundleDestination(project, 'stages/profiles/hub.yaml', undefined), '/checkout/images/hub.asar')
  t.is(bundleDestination(project, 'hub', 'x/y.asar'), resolve('x/y.asar'))
  const error = t.throws(() => bundleDestination(project, 'hub', join('images', 'hub.img')), {
    instanceOf: PibakeError,
  })
  t.is(error?.code, 'USAGE')
})

test('what a bundle holds', (t) => {
  t.deepEqual(renderContents(manifest, plainly), [
    'hub: 2 files, 1.6 kB, written by pibake 1.2.3',
    '',
    '0755  1.5 kB  stages/web/checks/up',
    '0644  80 B    stages/web/stage.yaml',
  ])
  const item = {
    path: 'blobs/aa/aa',
    mode: '0644',
    sizeBytes: 1500,
    sha256: hashBytes('x'),
    label: 'nginx\u001b 1',
  } as const
  t.deepEqual(renderContents({ ...manifest, cache: [item] }, plainly).slice(4), [
    '',
    'For the cache:',
    '',
    '1.5 kB  nginx\\u{1b} 1',
  ])
})

test('what an import does, and that it did nothing', (t) => {
  const table = ['new      a', 'differs  b', 'extra    c', '']
  const imported = { manifest, changes, items: { added: 0, sizeBytes: 0 }, applied: true, failure: undefined }
  t.deepEqual(renderChanges(imported, plainly), [
    ...table,
    'Imported `hub`: 1 new, 1 replaced, 1 removed, 1 the same.',
    'Its stages run as root on the image: look at them before you bake.',
  ])
  t.deepEqual(renderChanges({ ...imported, applied: false }, plainly), [
    ...table,
    '1 new, 1 differ, 1 extra here, 1 the same; nothing was written.',
  ])
  t.deepEqual(renderChanges({ ...imported, changes: changes.slice(3) }, plainly), [
    'Imported `hub`: 0 new, 0 replaced, 0 removed, 1 the same.',
  ])
  const items = { added: 2, sizeBytes: 1500 }
  t.is(renderChanges({ ...imported, items }, plainly)[4], '2 items (1.5 kB) for the cache.')
})

test('the command lines', async (t) => {
  const parse = (words: readonly string[]) => parseCommandLine(words, { version: '1', width: 100 })
  const exported = await parse(['export', 'hub', 'x.asar'])
  t.like(exported, { kind: 'run', args: { profile: 'hub', file: 'x.asar' } })
  t.like(await parse(['import', '--list', 'x.asar']), { kind: 'run', args: { list: true, file: 'x.asar' } })
  for (const words of [['export'], ['import']]) {
    t.is((await t.throwsAsync(parse(words), { instanceOf: PibakeError }))?.code, 'USAGE')
  }
})
