import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import {
  debFileName,
  type RepositoryDeb,
  stanzasByFile,
  writeFlatRepository,
  writeImageMirror,
} from '../../builder/deb/repository.ts'
import { scratch } from '../support/scratch.ts'

const makeDebs = async (folder: string): Promise<RepositoryDeb[]> => {
  const names = [
    ['tmux', '3.5a-3'],
    ['libc6', '2.41-12'],
    ['vim', '2:9.1'],
  ] as const
  return Promise.all(
    names.map(async ([Package, Version]) => {
      const source = join(folder, Package)
      await writeFile(source, `content of ${Package}`)
      return { source, stanza: { Package, Version, Architecture: 'arm64', SHA256: hashBytes(Package) } }
    }),
  )
}

test("a file name escapes the epoch's colon", (t) => {
  t.is(debFileName({ name: 'vim', version: '2:9.1:x', architecture: 'arm64' }), 'vim_2%3a9.1%3ax_arm64.deb')
})

test('a flat repository links the packages and names their places', async (t) => {
  const folder = await scratch(t)
  const debs = await makeDebs(folder)
  await writeFlatRepository(join(folder, 'repo'), debs)
  const stanzas = stanzasByFile(await readFile(join(folder, 'repo/Packages'), 'utf8'))
  t.deepEqual([...stanzas.keys()].sort(), ['libc6_2.41-12_arm64.deb', 'tmux_3.5a-3_arm64.deb', 'vim_2%3a9.1_arm64.deb'])
  for (const [name, { Filename, Package }] of stanzas) {
    t.is(Filename, `./${name}`)
    t.is(await readFile(join(folder, 'repo', name), 'utf8'), `content of ${Package}`)
    t.is((await stat(join(folder, 'repo', name))).ino, (await stat(join(folder, Package ?? ''))).ino)
  }
})

const mirror = async (t: ExecutionContext, order: (debs: RepositoryDeb[]) => RepositoryDeb[]) => {
  const folder = await scratch(t)
  const debs = order(await makeDebs(folder))
  const root = join(folder, 'root')
  await writeImageMirror({ root, folder: 'srv/mirror', debs, architecture: 'arm64', timeSeconds: 1_700_000_000 })
  return { root, base: join(root, 'srv/mirror') }
}

test('the mirror of an image: pool, index, and a Release file with right sums', async (t) => {
  const { base } = await mirror(t, (debs) => debs)
  t.is(await readFile(join(base, 'pool/main/libc/libc6/libc6_2.41-12_arm64.deb'), 'utf8'), 'content of libc6')
  t.is(await readFile(join(base, 'pool/main/t/tmux/tmux_3.5a-3_arm64.deb'), 'utf8'), 'content of tmux')
  const dists = join(base, 'dists/pibake')
  const packages = await readFile(join(dists, 'main/binary-arm64/Packages'))
  t.deepEqual(gunzipSync(await readFile(join(dists, 'main/binary-arm64/Packages.gz'))), packages)
  const release = await readFile(join(dists, 'Release'), 'utf8')
  t.true(release.includes('\nDate: Tue, 14 Nov 2023 22:13:20 UTC\n'))
  t.true(release.includes('\nArchitectures: arm64\n'))
  const sums = [...release.matchAll(/^ ([0-9a-f]{64}) (\d+) (\S+)$/gm)]
  t.is(sums.length, 2)
  for (const [, sum, size, path] of sums) {
    const bytes = await readFile(join(dists, path ?? ''))
    t.is(String(hashBytes(bytes)), String(sum))
    t.is(bytes.length, Number(size))
  }
})

test('the order of the packages and the clock leave no trace in a mirror', async (t) => {
  const [one, other] = [await mirror(t, (debs) => debs), await mirror(t, (debs) => debs.toReversed())]
  for (const path of ['dists/pibake/Release', 'dists/pibake/main/binary-arm64/Packages.gz']) {
    t.deepEqual(await readFile(join(one.base, path)), await readFile(join(other.base, path)))
  }
  const entries = await readdir(one.root, { recursive: true, withFileTypes: true })
  t.true(entries.length > 10)
  for (const entry of entries) t.is((await stat(join(entry.parentPath, entry.name))).mtimeMs, 0)
})
