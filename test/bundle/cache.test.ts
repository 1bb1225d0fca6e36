import { mkdir, readdir, readFile, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { itemPath } from '../../builder/bundle/bundle.ts'
import { exportCache } from '../../builder/bundle/cache-export.ts'
import { importCache } from '../../builder/bundle/cache-import.ts'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { hashBytes, type Sha256 } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import type { Project } from '../../builder/core/project.ts'
import { readAllLocks } from '../../builder/lock/all.ts'
import { lockPath, writeLock } from '../../builder/lock/file.ts'
import { lock } from '../lock/_lock.ts'
import { makeProject, temporaryFolder } from '../profile/_project.ts'
import { type Crafted, craftAsar, craftBundle, type Entry, lockedDeb, never, put } from './_bundle.ts'

/** A checkout with the profile `pub` locked to these contents, of which `present` are in its cache. */
const makeCache = async (
  t: ExecutionContext,
  contents: readonly string[],
  present: readonly string[] = contents,
): Promise<Project> => {
  const project = await makeProject(t, { 'package.json': '{}' })
  const steps = [{ name: 'base', debs: contents.map(lockedDeb) }]
  await mkdir(project.locks, { recursive: true })
  await writeLock(lockPath(project.locks, 'pub'), { ...lock, steps, extras: [], npm: {}, artifacts: {} })
  for (const content of present) await put(project, content)
  return project
}

const exportTo = async (project: Project, destination: string) =>
  exportCache({
    ...{ project, locks: await readAllLocks(project), pibake: '1.2.3', destination },
    ...{ emit: () => {}, signal: never },
  })

const importFrom = (project: Project, path: string, options: { dryRun?: boolean } = {}) =>
  importCache({
    ...{ project, path, labels: new Map<Sha256, string>(), dryRun: options.dryRun ?? false },
    ...{ emit: () => {}, signal: never },
  })

const has = (project: Project, content: string): Promise<boolean> =>
  openBlobs(project.cache).hasBlob(hashBytes(content), Buffer.byteLength(content))

/** Everything that an import could have left behind. */
const unfinished = (project: Project): Promise<string[]> => readdir(join(project.cache, 'incoming')).catch(() => [])

const contents = ['nginx of the mill', 'tmux of the mill', 'empty']

for (const name of ['cache.asar', 'cache']) {
  test(`what one group has fetched comes into the cache of another, by ${name}`, async (t) => {
    const from = await makeCache(t, contents)
    await put(from, 'named by no lock')
    const to = await makeCache(t, [], [])
    await put(to, 'tmux of the mill')
    const path = join(await temporaryFolder(t), name)
    const exported = await exportTo(from, path)
    t.is(exported.items, 3)
    t.deepEqual(exported.missing, [])
    const dry = await importFrom(to, path, { dryRun: true })
    t.is(dry.added.length, 2)
    t.false(await has(to, 'nginx of the mill'))
    const imported = await importFrom(to, path)
    t.is(
      imported.added.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      5 + 17,
    )
    t.is(imported.present, 1)
    t.deepEqual(imported.refused, [])
    for (const content of contents) t.true(await has(to, content), content)
    t.false(await has(to, 'named by no lock'))
    t.deepEqual(await unfinished(to), [])
    t.deepEqual((await importFrom(to, path)).added, [])
  })
}

test('equal caches make equal files', async (t) => {
  const folder = await temporaryFolder(t)
  await exportTo(await makeCache(t, contents), join(folder, 'a.asar'))
  await exportTo(await makeCache(t, contents.toReversed()), join(folder, 'b.asar'))
  t.deepEqual(await readFile(join(folder, 'a.asar')), await readFile(join(folder, 'b.asar')))
  t.deepEqual((await readdir(folder)).sort(), ['a.asar', 'b.asar'])
})

test('a folder is added to, and what is damaged in it is written anew', async (t) => {
  const folder = join(await temporaryFolder(t), 'cache')
  const project = await makeCache(t, contents, contents.slice(1))
  const first = await exportTo(project, folder)
  t.deepEqual([first.items, first.kept, first.missing], [2, 0, ['nginx 1']])
  await put(project, 'nginx of the mill')
  const damaged = join(folder, itemPath(hashBytes('empty')))
  await writeFile(damaged, 'EMPTY')
  await utimes(damaged, 1, 1)
  const second = await exportTo(project, folder)
  t.deepEqual([second.items, second.kept, second.missing], [3, 1, []])
  t.is(await readFile(damaged, 'utf8'), 'empty')
})

test('what is damaged in the own cache is not handed on', async (t) => {
  const project = await makeCache(t, contents)
  await writeFile(openBlobs(project.cache).blobPath(hashBytes('empty')), 'EMPTY')
  const folder = await temporaryFolder(t)
  for (const name of ['x.asar', 'x']) {
    const error = await t.throwsAsync(exportTo(project, join(folder, name)), { instanceOf: PibakeError })
    t.true(['CACHE_CORRUPT', 'MISSING_OFFLINE'].includes(error?.code ?? ''), error?.code)
    await put(project, 'empty')
    await writeFile(openBlobs(project.cache).blobPath(hashBytes('empty')), 'EMPTY')
  }
  t.false((await readdir(folder)).includes('x.asar'))
})

test('a folder of strangers: only what its digest says comes in, and links are not followed', async (t) => {
  const to = await makeCache(t, [], [])
  const folder = await temporaryFolder(t)
  const place = async (name: string, content: string, shelf = name.slice(0, 2)): Promise<void> => {
    await mkdir(join(folder, 'blobs', shelf), { recursive: true })
    await writeFile(join(folder, 'blobs', shelf, name), content)
  }
  await place(hashBytes('good'), 'good')
  await place(hashBytes('promised'), 'something else')
  await place(hashBytes('elsewhere'), 'elsewhere', 'zz')
  await place('no-digest', 'x')
  await writeFile(join(folder, 'secret'), 'secret')
  const linked = hashBytes('secret')
  await mkdir(join(folder, 'blobs', linked.slice(0, 2)), { recursive: true })
  await symlink(join(folder, 'secret'), join(folder, 'blobs', linked.slice(0, 2), linked))
  await symlink('/etc', join(folder, 'blobs/ee'))
  const { added, refused, ignored } = await importFrom(to, folder)
  t.deepEqual(
    added.map(({ sha256 }) => sha256),
    [hashBytes('good')],
  )
  t.is(refused.length, 1)
  t.true(refused[0]?.includes(hashBytes('promised')))
  t.is(ignored, 4)
  t.false(await has(to, 'secret'))
  t.deepEqual(await unfinished(to), [])
})

test('the folder of a whole checkout will do', async (t) => {
  const from = await makeCache(t, contents)
  const to = await makeCache(t, [], [])
  t.is((await importFrom(to, from.root)).added.length, 3)
  t.is((await importFrom(await makeCache(t, [], []), from.cache)).added.length, 3)
})

test('what is no cache is said', async (t) => {
  const to = await makeCache(t, [], [])
  const folder = await temporaryFolder(t)
  await t.throwsAsync(importFrom(to, folder), { code: 'USAGE', message: /is no cache/ })
  await t.throwsAsync(importFrom(to, join(folder, 'gone.asar')), { code: 'USAGE', message: /no file/ })
})

const item = (content: string): [string, Crafted] => [itemPath(hashBytes(content)), { content, mode: '0644' }]

const asCache = (manifest: Entry): unknown => {
  const { profile: _profile, ...rest } = manifest
  return { ...rest, format: 'pibake-cache-1' }
}
const labelled = <T extends Entry>(list: T[]): Entry[] => list.map((entry) => ({ ...entry, label: 'mill' }))
const right = { manifest: asCache, list: labelled }

const craft = (files: readonly (readonly [string, Crafted])[], tweak: Parameters<typeof craftBundle>[1] = {}): Buffer =>
  craftBundle(Object.fromEntries(files), { ...right, ...tweak })

const bring = async (t: ExecutionContext, bytes: Buffer) => {
  const to = await makeCache(t, [], [])
  const path = join(await temporaryFolder(t), 'x.asar')
  await writeFile(path, bytes)
  return { to, path, run: importFrom(to, path) }
}

test('a file made by hand is read, so that the refusals below are for what they say', async (t) => {
  const { to, run } = await bring(t, craft([item('mill'), item('pond')]))
  t.is((await run).added.length, 2)
  t.true(await has(to, 'mill'))
})

const refuses = test.macro(async (t, make: () => Buffer, sentence: RegExp) => {
  const { to, run } = await bring(t, make())
  const error = await t.throwsAsync(run, { instanceOf: PibakeError, code: 'BUNDLE_INVALID' })
  t.regex(error?.message ?? '', sentence)
  t.notRegex([error?.message, ...(error?.details ?? [])].join(''), /\p{Cc}/u)
  t.deepEqual(await readdir(to.cache), ['locks'])
})

const plain: Crafted = { content: 'x', mode: '0644' }

for (const [title, path] of [
  ['leads out of the cache', '../../etc/cron.d/x'],
  ['is a lock', 'packages-cache/locks/pub.lock.json'],
  ['is a stage', 'stages/evil/stage.yaml'],
  ['is on another shelf', `blobs/zz/${hashBytes('x')}`],
  ['is no digest', 'blobs/ab/abcd'],
  ['goes deeper', `blobs/${hashBytes('x').slice(0, 2)}/${hashBytes('x')}/${hashBytes('x')}`],
  ['has a control character in it', 'blobs/\u001b[2J/x'],
] as const) {
  // asar itself refuses what leads upwards.
  const sentence = /is no item of a cache|a header that asar cannot read/
  test(`refused: a path that ${title}`, refuses, () => craft([[path, plain]]), sentence)
}

test(
  'refused: content under the digest of other content, in the header',
  refuses,
  () =>
    craft([item('mill')], {
      entry: (entry, path) => (path === 'manifest.json' ? entry : { ...entry, integrity: integrityOf('pond') }),
    }),
  /states two hashes/,
)

const integrityOf = (content: string): Entry => ({
  algorithm: 'SHA256',
  hash: hashBytes(content),
  blockSize: 4_194_304,
  blocks: [hashBytes(content)],
})

test(
  'refused: a link',
  refuses,
  () => craft([item('x')], { entry: (entry, path) => (path === 'manifest.json' ? entry : { link: '/etc/passwd' }) }),
  /holds a link/,
)
test(
  'refused: something that runs',
  refuses,
  () => craft([[itemPath(hashBytes('x')), { content: 'x', mode: '0755' }]]),
  /does not understand/,
)
test(
  'refused: bytes that belong to nothing',
  refuses,
  () => craft([item('x')], { data: (data) => Buffer.concat([data, Buffer.alloc(9)]) }),
  /belong to no file/,
)
test(
  'refused: a bundle of a profile',
  refuses,
  () => craftBundle({ 'stages/a/stage.yaml': plain }),
  /is no item of a cache/,
)
test(
  'refused: an item that no manifest lists',
  refuses,
  () => craft([item('a'), item('b')], { list: (list) => labelled(list.slice(1)) }),
  /does not list/,
)
test(
  'refused: a header of more than 64 MiB',
  refuses,
  () => craftAsar('{}', Buffer.alloc(0), { headerSize: 65 * 1024 * 1024, payload: 65 * 1024 * 1024 - 4 }),
  /more than 64 MiB/,
)
test('refused: no asar at all', refuses, () => Buffer.alloc(100, 'x'), /is no asar file/)

test('an item whose bytes have changed is refused, and the others come in', async (t) => {
  const bytes = craft([item('mill'), item('pond')])
  bytes.write('POND', bytes.lastIndexOf('pond'))
  const { to, run } = await bring(t, bytes)
  const { added, refused } = await run
  t.deepEqual(
    added.map(({ sha256 }) => sha256),
    [hashBytes('mill')],
  )
  t.deepEqual(refused, [`mill (${hashBytes('pond')})`])
  t.false(await has(to, 'pond'))
  t.deepEqual(await unfinished(to), [])
})

test('a label cannot steer the terminal', async (t) => {
  const list = <T extends Entry>(entries: T[]): Entry[] =>
    entries.map((entry) => ({ ...entry, label: '\u001b]0;evil\u0007' }))
  const { run } = await bring(t, craft([item('mill')], { list }))
  t.notRegex((await run).added[0]?.label ?? '', /\p{Cc}/u)
})

test('a file that is cut off while it is copied is refused', async (t) => {
  const from = await makeCache(t, contents)
  const path = join(await temporaryFolder(t), 'x.asar')
  await exportTo(from, path)
  await truncate(path, (await stat(path)).size - 3)
  await t.throwsAsync(importFrom(await makeCache(t, [], []), path), { code: 'BUNDLE_INVALID', message: /cut off/ })
})

test('what is larger than the disk is refused before anything is written', async (t) => {
  const to = await makeCache(t, [], [])
  const folder = await temporaryFolder(t)
  const sha256 = hashBytes('endless')
  await mkdir(join(folder, 'blobs', sha256.slice(0, 2)), { recursive: true })
  const path = join(folder, itemPath(sha256))
  await writeFile(path, '')
  await truncate(path, 2 ** 43)
  await t.throwsAsync(importFrom(to, folder), { code: 'DISK_FULL' })
  t.deepEqual(await unfinished(to), [])
})
