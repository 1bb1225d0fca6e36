import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { itemPath } from '../../builder/bundle/bundle.ts'
import { importBundle } from '../../builder/bundle/bundle-import.ts'
import { openBundle } from '../../builder/bundle/bundle-open.ts'
import { profileBundle } from '../../builder/bundle/profile-bundle.ts'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { type Project, projectAt } from '../../builder/core/project.ts'
import { lockPath, readLock, writeLock } from '../../builder/lock/file.ts'
import { temporaryFolder } from '../profile/_project.ts'
import { type Crafted, craftBundle, exportHub, lockedDeb, makeHub, never, put } from './_bundle.ts'

const contents = ['nginx of the mill', 'tmux of the mill']

/** The checkout with `hub` locked to these packages, which are in its cache. */
const makeFetched = async (t: ExecutionContext): Promise<Project> => {
  const project = await makeHub(t)
  const path = lockPath(project.locks, 'hub')
  const lock = await readLock(path)
  if (!lock) throw new Error('not locked')
  const steps = [{ name: 'base', debs: contents.map(lockedDeb) }]
  await writeLock(path, { ...lock, steps, extras: [], npm: {}, artifacts: {} })
  for (const content of [...contents, 'named by no lock']) await put(project, content)
  return project
}

const exportFetched = async (t: ExecutionContext) => {
  const from = await makeFetched(t)
  const file = join(await temporaryFolder(t), 'hub.asar')
  return { from, file, exported: await exportHub(from, file, { packages: true }) }
}

const bring = async (t: ExecutionContext, file: string, { dryRun = false } = {}) => {
  const to = projectAt(await temporaryFolder(t))
  return { to, run: importBundle({ project: to, file, overwrite: false, dryRun, emit: () => {}, signal: never }) }
}

const has = (project: Project, content: string): Promise<boolean> =>
  openBlobs(project.cache).hasBlob(hashBytes(content), Buffer.byteLength(content))

test('a bundle with packages holds what its locks name, and another checkout needs no more', async (t) => {
  const { file, exported } = await exportFetched(t)
  t.is(exported.items, 2)
  {
    await using bundle = await openBundle(file, profileBundle)
    t.deepEqual(bundle.manifest.cache?.map(({ label }) => label).sort(), ['nginx 1', 'tmux 1'])
  }
  const { to, run } = await bring(t, file)
  t.deepEqual((await run).items, { added: 2, sizeBytes: 33 })
  for (const content of contents) t.true(await has(to, content))
  const again = join(to.root, 'again.asar')
  t.is((await exportHub(to, again, { packages: true })).sha256, exported.sha256)
})

test('what is in the cache already is not taken again, and a dry run takes nothing', async (t) => {
  const { file } = await exportFetched(t)
  const { to, run } = await bring(t, file, { dryRun: true })
  t.is((await run).items.added, 2)
  t.false(await has(to, contents[0] ?? ''))
  await put(to, contents[0] ?? '')
  const imported = await importBundle({
    project: to,
    file,
    overwrite: false,
    dryRun: false,
    emit: () => {},
    signal: never,
  })
  t.is(imported.items.added, 1)
})

test('without packages there is nothing of the cache in a bundle', async (t) => {
  const project = await makeFetched(t)
  const file = join(project.root, 'hub.asar')
  t.is((await exportHub(project, file)).items, 0)
  await using bundle = await openBundle(file, profileBundle)
  t.is(bundle.manifest.cache, undefined)
})

test('what the cache lacks or has damaged is named at export, and nothing is written', async (t) => {
  const project = await makeFetched(t)
  const path = openBlobs(project.cache).blobPath(hashBytes('tmux of the mill'))
  const file = join(project.root, 'hub.asar')
  await writeFile(path, 'TMUX of the mill')
  const damaged = await t.throwsAsync(exportHub(project, file, { packages: true }), { instanceOf: PibakeError })
  t.is(damaged?.code, 'CACHE_CORRUPT')
  const missing = await t.throwsAsync(exportHub(project, file, { packages: true }), { instanceOf: PibakeError })
  t.is(missing?.code, 'MISSING_OFFLINE')
  t.regex(missing?.message ?? '', /tmux 1/)
  t.false((await readdir(project.root)).includes('hub.asar'))
})

for (const dryRun of [false, true]) {
  test(`a damaged package: the profile does not come in${dryRun ? ', nor in a dry run' : ''}`, async (t) => {
    const { file } = await exportFetched(t)
    const bytes = await readFile(file)
    bytes.write('TMUX of', bytes.lastIndexOf('tmux of'))
    await writeFile(file, bytes)
    const { to, run } = await bring(t, file, { dryRun })
    t.is((await t.throwsAsync(run, { instanceOf: PibakeError }))?.code, 'BUNDLE_INVALID')
    t.false(await has(to, 'tmux of the mill'))
    t.false((await readdir(to.root)).includes('stages'))
  })
}

type Entry = Record<string, unknown>

/** Import a bundle like the one that was exported, with one more item, and lists that `change` has made. */
const recraft = async (
  t: ExecutionContext,
  options: { more?: Readonly<Record<string, string>>; change?: (files: Entry[], items: Entry[]) => [Entry[], Entry[]] },
) => {
  const { more = {}, change = (files, items) => [files, items] } = options
  const { file } = await exportFetched(t)
  const stored: Record<string, Crafted> = {}
  const items: Entry[] = []
  {
    await using bundle = await openBundle(file, profileBundle)
    const { files, cache = [] } = bundle.manifest
    for (const entry of [...files, ...cache]) {
      const chunks: Buffer[] = []
      for await (const chunk of bundle.read(entry)) chunks.push(chunk)
      stored[entry.path] = { content: Buffer.concat(chunks).toString(), mode: entry.mode }
    }
    items.push(...cache)
  }
  for (const [path, content] of Object.entries(more)) {
    stored[path] = { content, mode: '0644' }
    items.push({ path, mode: '0644', sizeBytes: content.length, sha256: hashBytes(content), label: 'more' })
  }
  const bytes = craftBundle(stored, {
    manifest: ({ files: all, ...manifest }) => {
      const listed = (all as Entry[]).filter(({ path }) => !String(path).startsWith('blobs/'))
      const [files, cache] = change(listed, items)
      return { ...manifest, files, cache }
    },
  })
  await writeFile(file, bytes)
  const { to, run } = await bring(t, file)
  const error = await t.throwsAsync(run, { instanceOf: PibakeError, code: 'BUNDLE_INVALID' })
  t.false(await has(to, contents[0] ?? ''))
  t.false((await readdir(to.root)).includes('stages'))
  return [error?.message, ...(error?.details ?? [])].join('; ')
}

test('a package that no lock of the bundle names is refused', async (t) => {
  t.regex(await recraft(t, { more: { [itemPath(hashBytes('stray'))]: 'stray' } }), /locks do not name, `more`/)
})

test('a package whose path is not that of its digest is refused', async (t) => {
  t.regex(await recraft(t, { more: { [itemPath(hashBytes('another'))]: 'other' } }), /where its digest says/)
})

test('a package that is on no list is refused', async (t) => {
  t.regex(await recraft(t, { change: (files) => [files, []] }), /does not list/)
})

test('a package is no file of the checkout', async (t) => {
  const change = (files: Entry[], items: Entry[]): [Entry[], Entry[]] => [
    [...files, ...items.map(({ label, ...item }) => item)],
    [],
  ]
  t.regex(await recraft(t, { change }), /must be a file of the checkout/)
})
