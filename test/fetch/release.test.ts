import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { createCleartextMessage, generateKey, readKey, readPrivateKey, sign } from 'openpgp'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { readArchiveKeys, verifyRelease } from '../../builder/fetch/release.ts'

const signedAt = new Date('2026-01-10T12:00:00Z')
const now = new Date('2026-01-11T12:00:00Z')

const makeKey = async (name: string, keyExpirationTime = 0) => {
  const date = new Date('2026-01-01T00:00:00Z')
  const made = await generateKey({ userIDs: [{ name }], date, keyExpirationTime, format: 'armored' })
  return {
    secret: await readPrivateKey({ armoredKey: made.privateKey }),
    key: await readKey({ armoredKey: made.publicKey }),
  }
}
const debian = await makeKey('Debian')
const stranger = await makeKey('Stranger')
const shortLived = await makeKey('Short', 15 * 86_400)

const list = 'main/binary-arm64/Packages.xz'
const releaseText = (codename = 'trixie', validUntil = ''): string => `Origin: Debian
Suite: stable
Codename: ${codename}
Date: Sat, 10 Jan 2026 10:00:00 UTC
${validUntil}Acquire-By-Hash: yes
Components: main contrib
MD5Sum:
 d41d8cd98f00b204e9800998ecf8427e 12 ${list}
SHA256:
 ${hashBytes('list')} 4 ${list}
 ${hashBytes('other')} 5 main/binary-amd64/Packages.xz
`
const signWith = async (text: string, secrets: (typeof debian)['secret'][]): Promise<string> =>
  sign({ message: await createCleartextMessage({ text }), signingKeys: secrets, date: signedAt })

const options = { archive: 'main', name: 'trixie', keys: [debian.key], now } as const

test('a good signature: the index is read', async (t) => {
  const inRelease = await signWith(releaseText(), [debian.secret])
  const release = await verifyRelease(inRelease, options)
  t.is(release.codename, 'trixie')
  t.is(release.suite, 'stable')
  t.true(release.byHash)
  t.is(release.date.toISOString(), '2026-01-10T10:00:00.000Z')
  t.is(release.validUntil, undefined)
  t.is(release.files.size, 2)
  t.deepEqual(release.files.get(list), { sizeBytes: 4, sha256: hashBytes('list') })
  t.is(release.sha256, hashBytes(inRelease))
})

test('one good signature among others is enough', async (t) => {
  const inRelease = await signWith(releaseText(), [stranger.secret, debian.secret])
  t.is((await verifyRelease(inRelease, options)).codename, 'trixie')
})

test('the suite may be asked for by its other name', async (t) => {
  const inRelease = await signWith(releaseText(), [debian.secret])
  t.is((await verifyRelease(inRelease, { ...options, name: 'stable' })).codename, 'trixie')
})

const validUntil = 'Valid-Until: Sun, 11 Jan 2026 10:00:00 UTC\n'

test('an index that is out of date is taken only on request', async (t) => {
  const inRelease = await signWith(releaseText('trixie', validUntil), [debian.secret])
  const release = await verifyRelease(inRelease, { ...options, acceptExpired: true })
  t.is(release.validUntil?.toISOString(), '2026-01-11T10:00:00.000Z')
  t.is((await verifyRelease(inRelease, { ...options, now: signedAt })).codename, 'trixie')
})

const refused: Readonly<Record<string, () => Promise<string>>> = {
  'a key that is not trusted': () => signWith(releaseText(), [stranger.secret]),
  'a text changed after signing': async () =>
    (await signWith(releaseText(), [debian.secret])).replace('Components: main', 'Components: evil'),
  'a text without a signature': async () => releaseText(),
  'a web page': async () => '<html>Please log in</html>',
  'another suite': () => signWith(releaseText('bookworm').replace('stable', 'oldstable'), [debian.secret]),
  'an index that is out of date': () => signWith(releaseText('trixie', validUntil), [debian.secret]),
  'an index without a date': () => signWith(releaseText().replace(/Date: .*\n/, ''), [debian.secret]),
}

for (const [name, make] of Object.entries(refused)) {
  test(`refused: ${name}`, async (t) => {
    const error = await t.throwsAsync(verifyRelease(await make(), options), { instanceOf: PibakeError })
    t.is(error?.code, 'SIGNATURE_INVALID')
    t.true(error?.message.includes('`trixie`'))
  })
}

test('refused: a key that has expired since', async (t) => {
  const inRelease = await signWith(releaseText(), [shortLived.secret])
  const keys = [shortLived.key]
  t.is((await verifyRelease(inRelease, { ...options, keys, now: signedAt })).codename, 'trixie')
  const late = new Date('2026-01-20T00:00:00Z')
  const error = await t.throwsAsync(verifyRelease(inRelease, { ...options, keys, now: late }), {
    instanceOf: PibakeError,
  })
  t.is(error?.code, 'SIGNATURE_INVALID')
})

test('text outside the signed part is not read', async (t) => {
  const inRelease = `Codename: evil\n\n${await signWith(releaseText(), [debian.secret])}`
  const result = await verifyRelease(inRelease, options).catch((error: unknown) => error)
  t.true(result instanceof PibakeError || (result as { codename: string }).codename === 'trixie')
})

test('the shipped keys are those that their README names', async (t) => {
  const folder = join(import.meta.dirname, '../../builder/fetch/keys')
  const table = await readFile(join(folder, 'README.md'), 'utf8')
  const rows = new Map<string, string>()
  for (const [, file = '', fingerprint = ''] of table.matchAll(/^\| `([\w-]+\.asc)` *\|.*\| `([0-9A-F]{40})` *\|$/gm)) {
    rows.set(file, fingerprint)
  }
  const files = (await readdir(folder)).filter((name) => name.endsWith('.asc'))
  t.deepEqual([...rows.keys()].sort(), files.sort())
  for (const file of files) {
    const key = await readKey({ armoredKey: await readFile(join(folder, file), 'utf8') })
    t.is(key.getFingerprint().toUpperCase(), rows.get(file) ?? '')
    t.false(key.isPrivate())
  }
  t.is((await readArchiveKeys('main')).length, 4)
  t.is((await readArchiveKeys('security')).length, 2)
})
