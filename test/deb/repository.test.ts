import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import { debFileName, type RepositoryDeb, stanzasByFile, writeFlatRepository } from '../../builder/deb/repository.ts'
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
