import { execFileSync } from 'node:child_process'
import { chmod, lstat, mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { extractFile, listPackage } from '@electron/asar'
import test, { type ExecutionContext } from 'ava'
import { importBundle } from '../../builder/bundle/bundle-import.ts'
import { openBundle } from '../../builder/bundle/bundle-open.ts'
import type { Change } from '../../builder/bundle/import-changes.ts'
import { profileBundle } from '../../builder/bundle/profile-bundle.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { type Project, projectAt } from '../../builder/core/project.ts'
import { lockPath, readLock } from '../../builder/lock/file.ts'
import { stageDigest } from '../../builder/profile/content.ts'
import { resolveProfile } from '../../builder/profile/resolve.ts'
import { profileYaml, stageYaml, temporaryFolder, writeFiles } from '../profile/_project.ts'
import { exportHub, hubPaths, makeHub, never } from './_bundle.ts'

const bring = (project: Project, file: string, options: { overwrite?: boolean; dryRun?: boolean } = {}) =>
  importBundle({ project, file, overwrite: false, dryRun: false, emit: () => {}, signal: never, ...options })

/** Paths, modes and digests of all files below a folder. */
const snapshot = async (folder: string): Promise<Record<string, string>> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
  const shown = await Promise.all(
    files.map(async (path) => {
      const { mode } = await lstat(path)
      return [
        path.slice(folder.length + 1),
        `${(mode & 0o777).toString(8)} ${hashBytes(await readFile(path))}`,
      ] as const
    }),
  )
  return Object.fromEntries(shown.sort(([a], [b]) => (a < b ? -1 : 1)))
}

const statesOf = (changes: readonly Change[]): Record<string, string[]> => {
  const states: Record<string, string[]> = {}
  for (const { path, state } of changes) states[state] = [...(states[state] ?? []), path]
  return states
}

const emptyCheckout = async (t: ExecutionContext): Promise<Project> => projectAt(await temporaryFolder(t))

test('a bundle holds the profile, what it extends, its stages, its locks, and nothing else', async (t) => {
  const project = await makeHub(t)
  const file = join(project.root, 'hub.asar')
  const written = await exportHub(project, file)
  await using bundle = await openBundle(file, profileBundle)
  t.deepEqual(
    bundle.manifest.files.map(({ path }) => path),
    hubPaths,
  )
  t.is(bundle.manifest.profile, 'hub')
  t.is(bundle.manifest.pibake, '1.2.3')
  t.is(written.files, hubPaths.length)
  t.is(written.sha256, hashBytes(await readFile(file)))
  const executable = bundle.manifest.files.filter(({ mode }) => mode === '0755').map(({ path }) => path)
  t.deepEqual(executable, ['overlays/wiki/usr/bin/wiki', 'stages/web/checks/up'])
  t.false((await readdir(project.cache)).includes('work'), 'no scratch stays behind')
})

test('any reader of asar files can read it', async (t) => {
  const project = await makeHub(t)
  const file = join(project.root, 'hub.asar')
  await exportHub(project, file)
  t.true(listPackage(file, { isPack: false }).includes('/stages/wiki/npm/package.json'))
  t.is(extractFile(file, 'overlays/wiki/etc/two').toString(), 'the same text\n')
})

test('equal content gives equal bytes, whatever times, places and modes beyond the executable bit', async (t) => {
  const one = await makeHub(t)
  const two = await makeHub(t)
  await chmod(join(two.root, 'overlays/wiki/etc/one'), 0o600)
  await chmod(join(two.root, 'stages/web/checks/up'), 0o700)
  await utimes(join(two.root, 'stages/web/stage.yaml'), 1, 1)
  const first = await exportHub(one, join(one.root, 'a.asar'))
  t.is((await exportHub(two, join(two.root, 'b.asar'))).sha256, first.sha256)
  await chmod(join(two.root, 'overlays/wiki/etc/one'), 0o755)
  t.not((await exportHub(two, join(two.root, 'b.asar'))).sha256, first.sha256)
})

test('a round trip between two checkouts keeps content, modes and the digests of the stages', async (t) => {
  const from = await makeHub(t)
  const file = join(from.root, 'hub.asar')
  const { sha256 } = await exportHub(from, file)
  const to = await emptyCheckout(t)
  const { applied, changes } = await bring(to, file)
  t.true(applied)
  t.deepEqual(statesOf(changes), { new: hubPaths })
  const there = await snapshot(to.root)
  t.deepEqual(Object.keys(there), hubPaths)
  const here = await snapshot(from.root)
  for (const path of hubPaths) t.is(there[path], here[path], path)
  const [a, b] = await Promise.all([from, to].map((project) => resolveProfile(project, 'hub')))
  const digests = (profile: typeof a) =>
    profile?.stages.map(({ stage, settings }) => stageDigest(stage, settings)) ?? []
  t.deepEqual(await Promise.all(digests(b)), await Promise.all(digests(a)))
  t.is((await readLock(lockPath(to.locks, 'hub')))?.profile, 'hub')
  t.is((await exportHub(to, join(to.root, 'again.asar'))).sha256, sha256)
})

test('modes do not depend on the umask of whoever imports', async (t) => {
  const from = await makeHub(t)
  const file = join(from.root, 'hub.asar')
  await exportHub(from, file)
  const to = await emptyCheckout(t)
  const script = `
    import { importBundle } from '${join(import.meta.dirname, '../../builder/bundle/bundle-import.ts')}'
    import { projectAt } from '${join(import.meta.dirname, '../../builder/core/project.ts')}'
    process.umask(0o077)
    const [root, file] = process.argv.slice(1)
    const signal = new AbortController().signal
    await importBundle({ project: projectAt(root), file, overwrite: false, dryRun: false, emit: () => {}, signal })`
  execFileSync(process.execPath, ['--input-type=module', '-e', script, to.root, file])
  t.is((await lstat(join(to.root, 'overlays/wiki/etc/one'))).mode & 0o777, 0o644)
  t.is((await lstat(join(to.root, 'stages/web/checks/up'))).mode & 0o777, 0o755)
})

test('an import again changes nothing', async (t) => {
  const project = await makeHub(t)
  const file = join(project.root, 'hub.asar')
  await exportHub(project, file)
  const before = await snapshot(project.root)
  const { applied, changes } = await bring(project, file)
  t.true(applied)
  t.deepEqual(statesOf(changes), { same: hubPaths })
  t.deepEqual(await snapshot(project.root), before)
})

test('files that differ or are extra are kept, unless they may go', async (t) => {
  const from = await makeHub(t)
  const file = join(from.root, 'hub.asar')
  await exportHub(from, file)
  const to = await emptyCheckout(t)
  await bring(to, file)
  await writeFile(join(to.root, 'overlays/wiki/etc/one'), 'my own text\n')
  await chmod(join(to.root, 'overlays/wiki/etc/two'), 0o755)
  await writeFiles(to.root, {
    'stages/web/checks/mine': { executable: '#!/bin/sh\n' },
    'overlays/web/etc/mine': 'mine\n',
    'stages/wiki/npm/node_modules/x/index.js': 'x\n',
    'stages/mine/stage.yaml': stageYaml('mine'),
  })
  await symlink('one', join(to.root, 'overlays/wiki/etc/link'))
  const before = await snapshot(to.root)

  const refused = await bring(to, file)
  t.false(refused.applied)
  t.is(refused.failure?.code, 'BUNDLE_DIFFERS')
  t.deepEqual(statesOf(refused.changes), {
    same: hubPaths.filter((path) => !/etc\/(one|two)$/.test(path)),
    differs: ['overlays/wiki/etc/one', 'overlays/wiki/etc/two'],
    extra: ['overlays/web/etc/mine', 'overlays/wiki/etc/link', 'stages/web/checks/mine'],
  })
  t.deepEqual(await snapshot(to.root), before)

  t.is((await bring(to, file, { overwrite: true, dryRun: true })).applied, false)
  t.deepEqual(await snapshot(to.root), before)

  t.true((await bring(to, file, { overwrite: true })).applied)
  const kept = ['stages/mine/stage.yaml', 'stages/wiki/npm/node_modules/x/index.js']
  t.deepEqual(Object.keys(await snapshot(to.root)), [...hubPaths, ...kept].sort())
  t.is(await readFile(join(to.root, 'overlays/wiki/etc/one'), 'utf8'), 'the same text\n')
})

test('an import that fails on the way leaves the checkout as it was', async (t) => {
  const from = await makeHub(t)
  const file = join(from.root, 'hub.asar')
  await exportHub(from, file)
  const to = await emptyCheckout(t)
  await writeFiles(to.root, { 'overlays/wiki/etc/one': 'my own text\n', 'overlays/wiki/etc/mine': 'mine\n' })
  const before = await snapshot(to.root)
  // It fires once the first files have been moved into place.
  const controller = new AbortController()
  let asked = 0
  const signal = new Proxy(controller.signal, {
    get: (target, key) => {
      if (key !== 'throwIfAborted') return Reflect.get(target, key, target) as unknown
      return () => {
        asked += 1
        if (asked > hubPaths.length + 6) throw new Error('interrupted in the middle')
      }
    },
  })
  const imported = importBundle({ project: to, file, overwrite: true, dryRun: false, emit: () => {}, signal })
  await t.throwsAsync(imported, { message: 'interrupted in the middle' })
  t.deepEqual(await snapshot(to.root), before)
  t.deepEqual((await readdir(to.root)).sort(), ['overlays', 'packages-cache'])
})

for (const way of ['overlays', 'overlays/wiki', 'overlays/wiki/etc', 'stages', 'packages-cache/locks']) {
  test(`nothing is written through a symbolic link: ${way}`, async (t) => {
    const from = await makeHub(t)
    const file = join(from.root, 'hub.asar')
    await exportHub(from, file)
    const to = await emptyCheckout(t)
    const outside = await temporaryFolder(t)
    await mkdir(join(to.root, way, '..'), { recursive: true })
    await symlink(outside, join(to.root, way))
    const error = await t.throwsAsync(bring(to, file, { overwrite: true }), { instanceOf: PibakeError })
    t.is(error?.code, 'BUNDLE_DIFFERS')
    t.true(error?.message.includes(`\`${way}\` of this checkout is a symbolic link`), error?.message)
    t.deepEqual(await readdir(outside), [])
  })
}

test('a symbolic link or a folder in the place of a file is in the way, even with --yes', async (t) => {
  const from = await makeHub(t)
  const file = join(from.root, 'hub.asar')
  await exportHub(from, file)
  const to = await emptyCheckout(t)
  const outside = join(await temporaryFolder(t), 'outside')
  await writeFile(outside, 'outside\n')
  await mkdir(join(to.root, 'overlays/wiki/etc'), { recursive: true })
  await symlink(outside, join(to.root, 'overlays/wiki/etc/one'))
  t.is((await t.throwsAsync(bring(to, file, { overwrite: true }), { instanceOf: PibakeError }))?.code, 'BUNDLE_DIFFERS')
  t.is(await readFile(outside, 'utf8'), 'outside\n')
  const other = await emptyCheckout(t)
  await mkdir(join(other.root, 'overlays/wiki/etc/one'), { recursive: true })
  const error = await t.throwsAsync(bring(other, file, { overwrite: true }), { instanceOf: PibakeError })
  t.regex(error?.message ?? '', /`overlays\/wiki\/etc\/one` .* not a file/)
})

test('what a bundle cannot carry is named at export', async (t) => {
  const linked = await makeHub(t, { 'overlays/wiki/etc/link': { link: 'one' } })
  const refusal = async (project: Project, profile = 'hub') =>
    t.throwsAsync(exportHub(project, join(project.root, 'x.asar'), { profile }), { instanceOf: PibakeError })
  const link = await refusal(linked)
  t.is(link?.code, 'CONFIG_INVALID')
  t.regex(link?.message ?? '', /`overlays\/wiki\/etc\/link`.*not a plain file/)
  t.false((await readdir(linked.root)).includes('x.asar'))

  const unlocked = await makeHub(t, { 'stages/profiles/loose.yaml': profileYaml('loose', 'stages: [web]') })
  t.is((await refusal(unlocked, 'loose'))?.code, 'LOCK_STALE')
  await writeFile(join(unlocked.root, 'elsewhere.yaml'), profileYaml('elsewhere'))
  const outside = await refusal(unlocked, join(unlocked.root, 'elsewhere.yaml'))
  t.regex(outside?.message ?? '', /outside `stages\/profiles\/`/)
})

test('an export replaces a bundle as a whole and leaves nothing beside it', async (t) => {
  const project = await makeHub(t)
  const folder = join(await temporaryFolder(t), 'new folder')
  const file = join(folder, 'hub.asar')
  await mkdir(folder)
  await writeFile(file, 'old')
  await exportHub(project, file)
  t.deepEqual(await readdir(folder), ['hub.asar'])
  await using bundle = await openBundle(file, profileBundle)
  t.is(bundle.manifest.profile, 'hub')
  const taken = await t.throwsAsync(exportHub(project, folder), { instanceOf: PibakeError })
  t.is(taken?.code, 'USAGE')
  t.deepEqual(await readdir(folder), ['hub.asar'])
})
