import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { readCleartextMessage, readKey, verify } from 'openpgp'
import { hashBytes, hashFile } from '../../builder/core/digest.ts'
import { parseStanzas } from '../../builder/deb/deb822.ts'
import { defaultKeyPath, openSigningKey } from '../../builder/deb/signing-key.ts'
import { findIncoming } from '../../builder/repository/find-debs.ts'
import { mergeDebs } from '../../builder/repository/merge.ts'
import { newRecord, readRecord } from '../../builder/repository/record.ts'
import { openRepository, writeRepository } from '../../builder/repository/write.ts'
import { arMember, makeDeb } from '../support/make-deb.ts'
import { scratch } from '../support/scratch.ts'
import { control, writeDeb } from './_debs.ts'

const { signal } = new AbortController()
const time = 1_700_000_000

const build = async (folder: string, given: readonly string[], keyPath: string) => {
  const key = await openSigningKey(keyPath, { owner: 'the mill' })
  const record = (await openRepository(folder)) ?? newRecord('trixie')
  const merge = mergeDebs(record, await findIncoming(given), { architectures: [], timeSeconds: time })
  await writeRepository(folder, merge, { key, uri: 'http://mill.local/packages', signal })
  return { key, merge }
}

test('a repository: pool, index, and a Release that the key of the group has signed', async (t) => {
  const root = await scratch(t)
  const stick = join(root, 'friends')
  await writeDeb(join(stick, 'deep/er/mill.deb'), 'a', ['mill', '1.0', 'arm64'])
  await writeDeb(join(stick, 'pond.deb'), 'b', ['pond', '1:2.0'])
  const folder = join(root, 'repository')
  const { key } = await build(folder, [stick], join(root, 'key.asc'))
  const dists = join(folder, 'dists/trixie')
  const inRelease = await readFile(join(dists, 'InRelease'), 'utf8')
  t.false(inRelease.includes('\r'))
  const message = await readCleartextMessage({ cleartextMessage: inRelease })
  const publicKey = await readKey({ armoredKey: await readFile(join(folder, 'pibake-archive-keyring.asc'), 'utf8') })
  const { signatures, data } = await verify({ message, verificationKeys: publicKey })
  t.true(await signatures[0]?.verified)
  t.is(publicKey.getFingerprint().toUpperCase(), key.fingerprint)
  t.is(`${data}\n`.replaceAll('\r', ''), `${await readFile(join(dists, 'Release'), 'utf8')}\n`)
  for (const [, sum = '', size, path = ''] of data.matchAll(/^ ([0-9a-f]{64}) (\d+) (\S+)$/gm)) {
    const bytes = await readFile(join(dists, path))
    t.is(String(hashBytes(bytes)), sum)
    t.is(bytes.length, Number(size))
  }
  const index = await readFile(join(dists, 'main/binary-arm64/Packages'), 'utf8')
  const stanzas = [...parseStanzas(index)]
  t.deepEqual(
    stanzas.map(({ Package, Filename }) => [Package, Filename]),
    [
      ['mill', 'pool/main/m/mill/mill_1.0_arm64.deb'],
      ['pond', 'pool/main/p/pond/pond_1%3a2.0_all.deb'],
    ],
  )
  for (const { Filename = '', SHA256, Size } of stanzas) {
    t.is(String(await hashFile(join(folder, Filename))), String(SHA256))
    t.is((await stat(join(folder, Filename))).size, Number(Size))
  }
  const source = await readFile(join(folder, 'pibake.sources'), 'utf8')
  t.regex(
    source,
    /^Types: deb\nURIs: http:\/\/mill\.local\/packages\nSuites: trixie\nComponents: main\nSigned-By:\n -----BEGIN PGP/,
  )
  t.true(source.includes('\n .\n'))
  t.deepEqual(
    (await readRecord(folder))?.packages.map(({ from, maintainer }) => [from, maintainer]),
    Array(2).fill(['friends', 'The mill <mill@example.org>']),
  )
})

test('a repository grows, keeps its key, and the same again changes no byte', async (t) => {
  const root = await scratch(t)
  const keyPath = join(root, 'key.asc')
  const folder = join(root, 'repository')
  const mill = await writeDeb(join(root, 'mill.deb'), 'a', ['mill', '1.0', 'arm64'])
  const pond = await writeDeb(join(root, 'pond.deb'), 'b', ['pond', '2.0', 'amd64'])
  const first = await build(folder, [mill], keyPath)
  const second = await build(folder, [pond], keyPath)
  t.is(second.key.fingerprint, first.key.fingerprint)
  t.true(first.key.isNew)
  t.false(second.key.isNew)
  t.deepEqual(await readdir(join(folder, 'dists/trixie/main')), ['binary-amd64', 'binary-arm64'])
  const release = await readFile(join(folder, 'dists/trixie/Release'))
  const record = await readFile(join(folder, 'packages.json'))
  await build(folder, [mill, pond], keyPath)
  t.deepEqual(await readFile(join(folder, 'dists/trixie/Release')), release)
  t.deepEqual(await readFile(join(folder, 'packages.json')), record)
  t.deepEqual(
    (await readdir(folder, { recursive: true })).filter((name) => name.includes('partial')),
    [],
  )
})

test('the secret is for its owner alone', async (t) => {
  const root = await scratch(t)
  const { path } = await openSigningKey(join(root, 'deep/key.asc'), { owner: 'x' })
  t.is((await stat(path)).mode & 0o777, 0o600)
  t.is((await stat(join(root, 'deep'))).mode & 0o777, 0o700)
  t.deepEqual(await readdir(join(root, 'deep')), ['key.asc'])
})

test('two that make the key at once have the same one', async (t) => {
  const path = join(await scratch(t), 'key.asc')
  const keys = await Promise.all(Array.from({ length: 4 }, () => openSigningKey(path, { owner: 'x' })))
  t.is(new Set(keys.map(({ fingerprint }) => fingerprint)).size, 1)
})

test('where the key is: with the user, not with the checkout', (t) => {
  t.is(defaultKeyPath({ PIBAKE_KEY: '/k' }), '/k')
  t.is(defaultKeyPath({ XDG_CONFIG_HOME: '/c' }), '/c/pibake/signing-key.asc')
  t.regex(defaultKeyPath({}), /\/\.config\/pibake\/signing-key\.asc$/)
})

test('a key that cannot sign is named', async (t) => {
  const path = join(await scratch(t), 'key.asc')
  await writeFile(path, 'no key')
  await t.throwsAsync(openSigningKey(path, { owner: 'x' }), {
    code: 'CONFIG_INVALID',
    message: /key\.asc.*no secret key/,
  })
})

const refuses = test.macro(async (t, make: (folder: string) => Promise<string>, expected: RegExp, code: string) => {
  const folder = await scratch(t)
  const error = await t.throwsAsync(findIncoming([await make(folder)]), { code })
  t.regex([error?.message, ...Object(error).details].join('\n'), expected)
})

const bomb = async (folder: string): Promise<string> => {
  const path = join(folder, 'bomb.deb')
  await makeDeb(path, { control: { control: control('bomb', '1'), md5sums: 'x'.repeat(80 << 20) }, data: {} })
  return path
}

test(
  'a link is no package',
  refuses,
  async (folder) => {
    await writeDeb(join(folder, 'real'), 'a', ['mill', '1.0'])
    await symlink(join(folder, 'real'), join(folder, 'link.deb'))
    return join(folder, 'link.deb')
  },
  /neither a folder nor a `\.deb`/,
  'USAGE',
)

test('a folder without packages', refuses, async (folder) => folder, /has no `\.deb` in it/, 'USAGE')

test('nothing at all', refuses, async (folder) => join(folder, 'gone'), /is not there/, 'USAGE')

test(
  'what only looks like a package',
  refuses,
  async (folder) => {
    await writeFile(join(folder, 'x.deb'), 'x'.repeat(500))
    return folder
  },
  /is no Debian package/,
  'CONFIG_INVALID',
)

test(
  'a package that is cut off',
  refuses,
  async (folder) => {
    const path = await writeDeb(join(folder, 'whole'), 'a', ['mill', '1.0'])
    await writeFile(join(folder, 'cut.deb'), (await readFile(path)).subarray(0, 200))
    return join(folder, 'cut.deb')
  },
  /is no Debian package/,
  'CONFIG_INVALID',
)

test('a package whose control data unpack to more than memory', refuses, bomb, /unpacks to more than/, 'CONFIG_INVALID')

test(
  'a package without control data',
  refuses,
  async (folder) => {
    const path = join(folder, 'x.deb')
    await writeFile(path, Buffer.concat([Buffer.from('!<arch>\n'), arMember('debian-binary', Buffer.from('2.0\n'))]))
    return path
  },
  /is no Debian package.*control/s,
  'CONFIG_INVALID',
)

test(
  'a package that speaks for the index',
  refuses,
  (folder) => writeDeb(join(folder, 'x.deb'), 'a', ['mill', '1.0', 'all', ['Filename: ../../../etc/shadow']]),
  /`Filename` is for an index/,
  'CONFIG_INVALID',
)

test('links in a folder are not followed', async (t) => {
  const root = await scratch(t)
  await writeDeb(join(root, 'elsewhere/secret.deb'), 'a', ['secret', '1.0'])
  await writeDeb(join(root, 'stick/mill.deb'), 'a', ['mill', '1.0'])
  await symlink(join(root, 'elsewhere'), join(root, 'stick/more'))
  await symlink(join(root, 'elsewhere/secret.deb'), join(root, 'stick/secret.deb'))
  await symlink('.', join(root, 'stick/circle'))
  t.deepEqual(
    (await findIncoming([join(root, 'stick')])).map(({ stanza }) => stanza.Package),
    ['mill'],
  )
})

test('a package from the future does not make an index from the future', async (t) => {
  const root = await scratch(t)
  const path = await writeDeb(join(root, 'x.deb'), 'a', ['mill', '1.0'])
  const bytes = await readFile(path)
  // Every member's time: 12 characters from the 16th of its header.
  for (let at = bytes.indexOf('`\n'); at >= 0; at = bytes.indexOf('`\n', at + 2)) bytes.write('99999999999 ', at - 42)
  await writeFile(path, bytes)
  const [deb] = await findIncoming([path])
  t.true((deb?.builtSeconds ?? 0) > 1_700_000_000 && (deb?.builtSeconds ?? 0) * 1000 <= Date.now())
})

test('a folder with other things in it is left alone, and a damaged repository is told', async (t) => {
  const root = await scratch(t)
  await mkdir(join(root, 'home'))
  await writeFile(join(root, 'home/letter'), '')
  await t.throwsAsync(openRepository(join(root, 'home')), { code: 'USAGE', message: /other things/ })
  t.is(await openRepository(join(root, 'new')), undefined)
  const mill = await writeDeb(join(root, 'mill.deb'), 'a', ['mill', '1.0'])
  await build(join(root, 'repository'), [mill], join(root, 'key.asc'))
  const inPool = join(root, 'repository/pool/main/m/mill/mill_1.0_all.deb')
  await writeFile(inPool, 'changed')
  await t.throwsAsync(openRepository(join(root, 'repository')), {
    code: 'CONFIG_INVALID',
    message: /mill_1\.0_all\.deb/,
  })
  await writeFile(join(root, 'repository/packages.json'), '{"format":"pibake-repository-1","packages":[]}')
  await t.throwsAsync(openRepository(join(root, 'repository')), { code: 'CONFIG_INVALID', message: /packages\.json/ })
})

for (const file of [
  '../../etc/shadow.deb',
  'pool/../../x.deb',
  '/etc/x.deb',
  'pool//x.deb',
  'pool/main/../x.deb',
  'pool/./x.deb',
]) {
  test(`a record that names \`${file}\` is none`, async (t) => {
    const folder = await scratch(t)
    const deb = { name: 'x', version: '1', architecture: 'all', file, sizeBytes: 1, sha256: hashBytes(''), from: 'x' }
    const record = { ...newRecord('trixie'), packages: [deb] }
    await writeFile(join(folder, 'packages.json'), JSON.stringify(record))
    await t.throwsAsync(readRecord(folder), { code: 'CONFIG_INVALID' })
  })
}
