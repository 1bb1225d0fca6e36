import { lstat, mkdir, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { create, Header } from 'tar'
import { type Blobs, openBlobs } from '../../builder/cache/blobs.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { extractNpmTree, type NpmTarball } from '../../builder/deb/npm-extract.ts'
import { scratch } from '../support/scratch.ts'

interface Fixture {
  path: string
  manifest: { name: string } & Record<string, unknown>
  files?: Record<string, string>
  executable?: string[]
}

/** A tarball as `npm pack` makes it, put into the store. */
const pack = async (blobs: Blobs, folder: string, fixture: Fixture): Promise<NpmTarball> => {
  const { path, manifest, executable = [] } = fixture
  const files = { 'package.json': JSON.stringify(manifest), ...fixture.files }
  const work = join(folder, 'work', path.replaceAll('/', '%'))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(work, 'package', name)), { recursive: true })
    await writeFile(join(work, 'package', name), text, { mode: executable.includes(name) ? 0o700 : 0o600 })
  }
  const tarball = `${work}.tgz`
  await create({ file: tarball, cwd: work, gzip: true }, ['package'])
  return { name: manifest.name, version: '1.0.0', path, ...(await blobs.importFile(tarball)) }
}

const timeSeconds = 1_700_000_000

const snapshot = async (folder: string): Promise<string[]> => {
  const lines: string[] = []
  for (const entry of (await readdir(folder, { recursive: true })).sort()) {
    const status = await lstat(join(folder, entry))
    const target = status.isSymbolicLink() ? ` -> ${await readlink(join(folder, entry))}` : ''
    lines.push(`${target === '' ? (status.mode & 0o7777).toString(8) : 'link'} ${entry}${target}`)
    if (status.mtimeMs !== timeSeconds * 1000) lines.push(`wrong time: ${entry}`)
  }
  return lines
}

const fixtures: Fixture[] = [
  {
    path: 'node_modules/a',
    manifest: { name: 'a', bin: './cli.js' },
    files: { 'cli.js': '#!/usr/bin/env node\r\nx\r\n', 'run.sh': '#!/bin/sh', 'test/t.js': '', LICENSE: 'free' },
    executable: ['run.sh'],
  },
  {
    path: 'node_modules/@scope/b',
    manifest: { name: '@scope/b', bin: { bee: 'bin/bee.js', '../../evil': '../../../a/cli.js', gone: 'absent.js' } },
    files: { 'bin/bee.js': '#!/usr/bin/env node\n', 'index.d.ts': '' },
  },
  {
    path: 'node_modules/a/node_modules/c',
    manifest: { name: 'c', directories: { bin: 'commands' }, scripts: { install: 'exit 1' } },
    files: { 'commands/see': '' },
  },
]

const setUp = async (t: ExecutionContext, wanted: readonly Fixture[] = fixtures) => {
  const folder = await scratch(t)
  const blobs = openBlobs(join(folder, 'cache'))
  const packages: NpmTarball[] = []
  for (const fixture of wanted) packages.push(await pack(blobs, folder, fixture))
  return { folder, blobs, packages }
}

test('a tree as npm lays it out, with links, modes and times, and nothing of no use', async (t) => {
  const { folder, blobs, packages } = await setUp(t)
  const destination = join(folder, 'opt')
  const result = await extractNpmTree(packages, { architecture: 'arm64', blobs, destination, timeSeconds })
  t.deepEqual(await snapshot(join(destination, 'node_modules')), [
    '755 .bin',
    'link .bin/a -> ../a/cli.js',
    'link .bin/bee -> ../@scope/b/bin/bee.js',
    '755 @scope',
    '755 @scope/b',
    '755 @scope/b/bin',
    '755 @scope/b/bin/bee.js',
    '644 @scope/b/package.json',
    '755 a',
    '644 a/LICENSE',
    '755 a/cli.js',
    '755 a/node_modules',
    '755 a/node_modules/.bin',
    'link a/node_modules/.bin/see -> ../c/commands/see',
    '755 a/node_modules/c',
    '755 a/node_modules/c/commands',
    '755 a/node_modules/c/commands/see',
    '644 a/node_modules/c/package.json',
    '644 a/package.json',
    '755 a/run.sh',
  ])
  t.is(await readFile(join(destination, 'node_modules/.bin/a'), 'utf8'), '#!/usr/bin/env node\nx\r\n')
  t.is(result.files, 11)
  t.deepEqual(result.unbuilt, ['c 1.0.0'])
  t.is((await stat(join(destination, 'node_modules'))).mtimeMs, timeSeconds * 1000)
})

test('of two packages with one command the first by path has it', async (t) => {
  const bin = { same: 'x.js' }
  const files = { 'x.js': '' }
  const { folder, blobs, packages } = await setUp(t, [
    { path: 'node_modules/z', manifest: { name: 'z', bin }, files },
    { path: 'node_modules/y', manifest: { name: 'y', bin }, files },
  ])
  await extractNpmTree(packages, { architecture: 'arm64', blobs, destination: join(folder, 'opt'), timeSeconds })
  t.is(await readlink(join(folder, 'opt/node_modules/.bin/same')), '../y/x.js')
})

test('a damaged tarball is named before anything is unpacked', async (t) => {
  const { folder, blobs, packages } = await setUp(t)
  const [first] = packages
  if (!first) throw new Error('there are fixtures')
  const content = await readFile(blobs.blobPath(first.sha256))
  content[40] = (content[40] ?? 0) ^ 1
  await writeFile(blobs.blobPath(first.sha256), content)
  const error = await t.throwsAsync(
    extractNpmTree(packages, { architecture: 'arm64', blobs, destination: join(folder, 'opt'), timeSeconds }),
    { instanceOf: PibakeError, code: 'CACHE_CORRUPT' },
  )
  t.regex(error?.message ?? '', /`a 1\.0\.0`/)
  await t.throwsAsync(stat(join(folder, 'opt')), { code: 'ENOENT' })
})

/** One entry of a tar archive that no well-meaning program would write. */
const rawEntry = (entry: { path: string; type: 'File' | 'SymbolicLink' | 'Link'; linkpath?: string }): Buffer => {
  const header = new Header({ ...entry, mode: 0o644, size: 0, mtime: new Date(0) })
  const block = Buffer.alloc(512)
  header.encode(block, 0)
  return block
}

const hostile: [title: string, entry: Parameters<typeof rawEntry>[0]][] = [
  ['a path that leads out', { path: 'package/../../../../outside', type: 'File' }],
  ['an absolute path', { path: '/tmp/pibake-outside/x', type: 'File' }],
  ['a symbolic link', { path: 'package/link', type: 'SymbolicLink', linkpath: '/etc' }],
  ['a hard link', { path: 'package/hard', type: 'Link', linkpath: 'package/package.json' }],
]

for (const [title, entry] of hostile) {
  test(`refused in a tarball: ${title}`, async (t) => {
    const { folder, blobs } = await setUp(t, [])
    await writeFile(join(folder, 'evil.tgz'), gzipSync(Buffer.concat([rawEntry(entry), Buffer.alloc(1024)])))
    const info = await blobs.importFile(join(folder, 'evil.tgz'))
    const packages = [{ name: 'evil', version: '6.6.6', path: 'node_modules/evil', ...info }]
    await t.throwsAsync(
      extractNpmTree(packages, { architecture: 'arm64', blobs, destination: join(folder, 'a/b/opt'), timeSeconds }),
      {
        code: 'DOWNLOAD_CORRUPT',
        message: /`evil 6\.6\.6`/,
      },
    )
    t.deepEqual(await readdir(join(folder, 'a/b/opt/node_modules/evil')), [])
    t.false((await readdir(folder, { recursive: true })).some((name) => name.endsWith('outside')))
  })
}

test('what is not an archive, or has no package.json, is refused by name', async (t) => {
  const { folder, blobs } = await setUp(t, [])
  for (const content of [Buffer.from('not an archive at all'), gzipSync(Buffer.alloc(1024))]) {
    await writeFile(join(folder, 'x.tgz'), content)
    const info = await blobs.importFile(join(folder, 'x.tgz'))
    const packages = [{ name: 'odd', version: '1.0.0', path: 'node_modules/odd', ...info }]
    await t.throwsAsync(
      extractNpmTree(packages, { architecture: 'arm64', blobs, destination: join(folder, 'opt'), timeSeconds }),
      {
        code: 'DOWNLOAD_CORRUPT',
        message: /`odd 1\.0\.0`/,
      },
    )
  }
})

test('a stop ends the unpacking as an interruption', async (t) => {
  const { folder, blobs, packages } = await setUp(t)
  const options = {
    architecture: 'arm64' as const,
    blobs,
    destination: join(folder, 'opt'),
    timeSeconds,
    signal: AbortSignal.abort(),
  }
  await t.throwsAsync(extractNpmTree(packages, options), { code: 'INTERRUPTED' })
})
