import { cp, lstat, mkdir, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { hashBytes, hashFile } from '../../builder/core/digest.ts'
import { readControl } from '../../builder/deb/archive.ts'
import { parseStanzas, type Stanza } from '../../builder/deb/deb822.ts'
import { fixTimes, type ImageMirror, readImageMirror, writeImageMirror } from '../../builder/deb/image-mirror.ts'
import type { RepositoryDeb } from '../../builder/deb/repository.ts'
import { makeDeb } from '../support/make-deb.ts'
import { scratch } from '../support/scratch.ts'

const folder = 'srv/mirror'
const architecture = 'arm64'
const suite = 'trixie'
const indexOf = (component: string): string => `${folder}/dists/${suite}/${component}/binary-arm64/Packages`
const index = indexOf('main')
const mirrorAt = (root: string): ImageMirror => ({ root, folder, suite, architecture })

/** Make packages `name_version`, of which a further `_text` makes another file of the same name and version. */
const makeDebs = async (into: string, specs: readonly string[]): Promise<RepositoryDeb[]> => {
  await mkdir(into, { recursive: true })
  return Promise.all(
    specs.map(async (spec) => {
      const [name = '', version = '', text = ''] = spec.split('_')
      const control = [
        `Package: ${name}`,
        `Version: ${version}`,
        'Architecture: arm64',
        'Maintainer: nobody <nobody@localhost>',
        `Description: the package ${name}`,
        ' in two lines',
        '',
      ].join('\n')
      const source = join(into, spec)
      await makeDeb(source, { control: { control }, data: { [`usr/share/${name}`]: text } })
      const size = String((await stat(source)).size)
      return { source, stanza: { ...(await readControl(source)), Size: size, SHA256: await hashFile(source) } }
    }),
  )
}

const write = async (root: string, debs: readonly RepositoryDeb[], below: readonly Stanza[] = []): Promise<void> => {
  await writeImageMirror(mirrorAt(root), {
    components: new Map([['main', debs]]),
    below: new Map(below.length > 0 ? [['main', below]] : []),
    timeSeconds: 1_700_000_000,
  })
  await fixTimes(root)
}

const read = async (root: string): Promise<Stanza[]> => (await readImageMirror(mirrorAt(root))).get('main') ?? []

const stanzasIn = async (root: string): Promise<Stanza[]> => [
  ...parseStanzas(await readFile(join(root, index), 'utf8')),
]

const namesOf = (stanzas: readonly Stanza[]): string[] => stanzas.map(({ Package, Version }) => `${Package} ${Version}`)

const some = ['tmux_3.5a-3', 'libc6_2.41-12', 'vim_2:9.1']

test('the mirror of an image: pool, index, and a Release file with right sums', async (t) => {
  const root = await scratch(t)
  const debs = await makeDebs(join(root, 'debs'), some)
  await write(root, debs)
  const base = join(root, folder)
  const pool = (path: string): Promise<string> => hashFile(join(base, 'pool/main', path))
  t.is(await pool('t/tmux/tmux_3.5a-3_arm64.deb'), debs[0]?.stanza.SHA256 ?? '')
  t.is(await pool('libc/libc6/libc6_2.41-12_arm64.deb'), debs[1]?.stanza.SHA256 ?? '')
  t.is(await pool('v/vim/vim_2%3a9.1_arm64.deb'), debs[2]?.stanza.SHA256 ?? '')
  t.deepEqual(namesOf(await stanzasIn(root)), ['libc6 2.41-12', 'tmux 3.5a-3', 'vim 2:9.1'])
  const dists = join(base, 'dists/pibake')
  t.is(await readlink(dists), suite)
  const packages = await readFile(join(root, index))
  t.deepEqual(gunzipSync(await readFile(join(root, `${index}.gz`))), packages)
  const release = await readFile(join(dists, 'Release'), 'utf8')
  t.true(release.includes('\nDate: Tue, 14 Nov 2023 22:13:20 UTC\n'))
  t.true(release.includes('\nArchitectures: arm64\nComponents: main\n'))
  t.true(release.includes('\nSuite: pibake\nCodename: trixie\n'))
  t.true(release.includes('\nAcquire-By-Hash: yes\n'))
  const sums = [...release.matchAll(/^ ([0-9a-f]{64}) (\d+) (\S+)$/gm)]
  t.is(sums.length, 2)
  for (const [, sum, size, path] of sums) {
    const bytes = await readFile(join(dists, path ?? ''))
    t.is(String(hashBytes(bytes)), String(sum))
    t.is(bytes.length, Number(size))
    t.deepEqual(await readFile(join(dists, dirname(path ?? ''), 'by-hash/SHA256', sum ?? '')), bytes)
  }
})

test('the order of the packages and the clock leave no trace in a mirror', async (t) => {
  const root = await scratch(t)
  const debs = await makeDebs(join(root, 'debs'), some)
  const below = (await makeDebs(join(root, 'below'), ['tree_2.2', 'bash_5.2'])).map(({ stanza }) => stanza)
  const [one, other] = [join(root, 'one'), join(root, 'other')]
  await write(one, debs, below)
  await write(other, debs.toReversed(), below.toReversed())
  for (const path of [`${folder}/dists/${suite}/Release`, `${index}.gz`]) {
    t.deepEqual(await readFile(join(one, path)), await readFile(join(other, path)))
  }
  const entries = await readdir(one, { recursive: true, withFileTypes: true })
  t.true(entries.length > 10)
  for (const entry of entries) t.is((await lstat(join(entry.parentPath, entry.name))).mtimeMs, 0)
})

/** A mirror on the mirror of a base image: the folder of each, and both merged as an overlay shows them. */
const stack = async (
  t: ExecutionContext,
  specs: { base: readonly string[]; debs: readonly string[] },
): Promise<{ base: string; upper: string; merged: string }> => {
  const root = await scratch(t)
  const [base, upper, merged] = [join(root, 'base'), join(root, 'upper'), join(root, 'merged')]
  await write(base, await makeDebs(join(root, 'base-debs'), specs.base))
  const below = await read(base)
  await write(upper, await makeDebs(join(root, 'debs'), specs.debs), below)
  for (const layer of [base, upper]) await cp(layer, merged, { recursive: true, force: true, verbatimSymlinks: true })
  return { base, upper, merged }
}

test('a mirror on another one lists the packages of both, each by a file that is there', async (t) => {
  const specs = { base: ['bash_5.2', 'tree_2.1', 'vim_2:9.1'], debs: ['tmux_3.5a', 'tree_2.2'] }
  const { base, upper, merged } = await stack(t, specs)
  const stanzas = await stanzasIn(merged)
  t.deepEqual(namesOf(stanzas), ['bash 5.2', 'tmux 3.5a', 'tree 2.1', 'tree 2.2', 'vim 2:9.1'])
  for (const { Filename = '', Size, SHA256 } of stanzas) {
    const file = join(merged, folder, Filename)
    t.is(String(await hashFile(file)), String(SHA256))
    t.is((await stat(file)).size, Number(Size))
  }
  const [bash] = await stanzasIn(base)
  t.deepEqual(stanzas[0], bash)
  t.is(bash?.Description, 'the package bash\n in two lines')
  t.deepEqual(await readdir(join(upper, folder, 'pool/main/t')), ['tmux', 'tree'])
  t.deepEqual(await readdir(join(upper, folder, 'pool/main')), ['t'])
})

test('of a version that both mirrors have, the newer file is listed, and once', async (t) => {
  const specs = { base: ['same_1.0', 'changed_1.0_old', 'kept_1.0'], debs: ['same_1.0', 'changed_1.0_new'] }
  const { base, merged } = await stack(t, specs)
  const stanzas = await stanzasIn(merged)
  t.deepEqual(namesOf(stanzas), ['changed 1.0', 'kept 1.0', 'same 1.0'])
  const [changed] = stanzas
  t.not(changed?.SHA256, (await stanzasIn(base))[0]?.SHA256)
  t.is(String(await hashFile(join(merged, folder, changed?.Filename ?? ''))), String(changed?.SHA256))
})

test('a third mirror lists what the first had', async (t) => {
  const { merged } = await stack(t, { base: ['bash_5.2'], debs: ['tmux_3.5a'] })
  t.deepEqual(namesOf(await read(merged)), ['bash 5.2', 'tmux 3.5a'])
})

const mirror = async (t: ExecutionContext): Promise<string> => {
  const root = await scratch(t)
  await write(root, await makeDebs(join(root, 'debs'), ['bash_5.2', 'tmux_3.5a']))
  return root
}

test('an image without a mirror has none of it', async (t) => {
  const root = await scratch(t)
  t.deepEqual(await read(root), [])
  await mkdir(join(root, folder), { recursive: true })
  t.deepEqual(await read(root), [])
})

const losses: Record<string, (pool: string) => Promise<void>> = {
  'is gone': (pool) => rm(join(pool, 't'), { recursive: true }),
  'has another size': (pool) => writeFile(join(pool, 't/tmux/tmux_3.5a_arm64.deb'), 'short'),
  'is a link': async (pool) => {
    const file = join(pool, 't/tmux/tmux_3.5a_arm64.deb')
    await rename(file, join(pool, 'elsewhere'))
    await symlink(join(pool, 'elsewhere'), file)
  },
}

for (const [what, lose] of Object.entries(losses)) {
  test(`a package whose file ${what} is no longer in the mirror below`, async (t) => {
    const root = await mirror(t)
    await lose(join(root, folder, 'pool/main'))
    t.deepEqual(namesOf(await read(root)), ['bash 5.2'])
  })
}

test('an index names no file outside its pool', async (t) => {
  const root = await mirror(t)
  for (const inside of ['pool/main/x', 'pool/x']) await writeFile(join(root, folder, inside), '12345')
  await writeFile(join(root, 'outside'), '12345')
  const names = ['pool/main/x', 'pool/x', '../../outside', 'pool/main/../../../outside', 'pool/main/./x', '/outside']
  const lines = names.map((name, at) => `Package: p${at}\nVersion: 1\nFilename: ${name}\nSize: 5\n`)
  await writeFile(join(root, index), lines.join('\n'))
  t.deepEqual(namesOf(await read(root)), ['p0 1'])
})

test('a mirror behind a link is not merged with what lies on it', async (t) => {
  const root = await mirror(t)
  t.is((await read(root)).length, 2)
  await rename(join(root, 'srv'), join(root, 'data'))
  await symlink('data', join(root, 'srv'))
  t.deepEqual(await read(root), [])
})

test('a damaged index of a base image is named', async (t) => {
  const root = await mirror(t)
  await writeFile(join(root, index), 'Package: bash\n\0\0\0\0\n')
  const error = await t.throwsAsync(read(root), { code: 'IMAGE_INVALID' })
  t.true(error?.message.includes('/srv/mirror'))
})

test('components have an index and a pool of their own, and are stacked each on its own', async (t) => {
  const root = await scratch(t)
  const [base, upper] = [join(root, 'base'), join(root, 'upper')]
  const [tmux, village, bash] = await makeDebs(join(root, 'debs'), ['tmux_3.5a', 'village_1.0', 'bash_5.2'])
  if (!tmux || !village || !bash) return t.fail()
  const timeSeconds = 1
  await writeImageMirror(mirrorAt(base), {
    components: new Map([
      ['main', [tmux]],
      ['own', [village]],
    ]),
    timeSeconds,
  })
  const below = await readImageMirror(mirrorAt(base))
  t.deepEqual([...below.keys()], ['main', 'own'])
  await writeImageMirror(mirrorAt(upper), { components: new Map([['main', [bash]]]), below, timeSeconds })
  const indexed = async (component: string) => [
    ...parseStanzas(await readFile(join(upper, indexOf(component)), 'utf8')),
  ]
  t.deepEqual(namesOf(await indexed('main')), ['bash 5.2', 'tmux 3.5a'])
  t.deepEqual(
    (await indexed('own')).map(({ Filename }) => Filename),
    ['pool/own/v/village/village_1.0_arm64.deb'],
  )
  const release = await readFile(join(upper, folder, 'dists', suite, 'Release'), 'utf8')
  t.true(release.includes('\nComponents: main own\n'))
})

test('a mirror of another release stays beside this one', async (t) => {
  const root = await mirror(t)
  t.is((await readImageMirror({ ...mirrorAt(root), suite: 'forky' })).size, 0)
})
