import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { createCleartextMessage, generateKey, readKey, readPrivateKey, sign } from 'openpgp'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { pins } from '../../builder/fetch/apt-workspace.ts'
import { fetchIndexes, readPackageTable, timeOf } from '../../builder/fetch/indexes.ts'
import { fakeSource } from './_source.ts'

const now = new Date('2026-01-11T12:00:00Z')
const date = new Date('2026-01-01T00:00:00Z')
const made = await generateKey({ userIDs: [{ name: 'x' }], date, format: 'armored' })
const secret = await readPrivateKey({ armoredKey: made.privateKey })
const key = await readKey({ armoredKey: made.publicKey })

const signed = async (options: {
  codename: string
  day?: string
  byHash?: boolean
  validUntil?: string
  files?: string
}) => {
  const { codename, day = '10', byHash = true, validUntil, files = '' } = options
  const text = `Suite: ${codename}
Codename: ${codename}
Date: Sat, ${day} Jan 2026 10:00:00 UTC
${validUntil === undefined ? '' : `Valid-Until: ${validUntil}\n`}${byHash ? 'Acquire-By-Hash: yes\n' : ''}SHA256:
${files}`
  return sign({
    message: await createCleartextMessage({ text }),
    signingKeys: secret,
    date: new Date('2026-01-10T12:00:00Z'),
  })
}
const listed = (path: string, content: string): string => ` ${hashBytes(content)} ${content.length} ${path}\n`
const arm64 = 'main/binary-arm64/Packages.xz'
const zipped = 'rpi/binary-arm64/Packages.gz'
const trixie = await signed({
  codename: 'trixie',
  files: `${listed(arm64, 'one')}${listed('main/binary-amd64/Packages.xz', 'two')}`,
})

const other = await generateKey({ userIDs: [{ name: 'y' }], date, format: 'armored' })
const vendor = {
  archive: 'raspi',
  uri: 'http://r/debian',
  suite: 'trixie',
  components: ['main', 'rpi'],
  architectures: [],
}
const vendorTexts = {
  'http://m/debian/dists/trixie/InRelease': trixie,
  'http://r/debian/dists/trixie/InRelease': await signed({
    codename: 'trixie',
    files: `${listed(arm64, 'five')}${listed(zipped, 'six')}`,
  }),
}

const options = (source: ReturnType<typeof fakeSource>['source'], events: PibakeEvent[] = []) => ({
  source,
  mirrors: { main: 'http://m/debian', security: 'http://m/security' },
  suite: 'trixie',
  architecture: 'arm64',
  now,
  readKeys: async () => [key],
  emit: (event: PibakeEvent) => events.push(event),
})

test('a suite without updates and security updates is fine; lists come by their digest', async (t) => {
  const { source, calls } = fakeSource({ texts: { 'http://m/debian/dists/trixie/InRelease': trixie } })
  const events: PibakeEvent[] = []
  const indexes = await fetchIndexes(options(source, events))
  t.deepEqual(
    indexes.map(({ release, lists }) => [release.name, lists.map(({ path }) => path)]),
    [['trixie', [arm64]]],
  )
  t.deepEqual(
    events.flatMap((event) => (event.type === 'debug' ? [event.message] : [])),
    ['there is no suite trixie-updates at http://m/debian', 'there is no suite trixie-security at http://m/security'],
  )
  t.deepEqual(calls.read.sort(), [
    'http://m/debian/dists/trixie-updates/InRelease',
    'http://m/debian/dists/trixie/InRelease',
    'http://m/security/dists/trixie-security/InRelease',
  ])
  t.deepEqual(calls.urls, [
    `http://m/debian/dists/trixie/main/binary-arm64/by-hash/SHA256/${hashBytes('one')}`,
    `http://m/debian/dists/trixie/${arm64}`,
  ])
})

test('the time of several indexes is the newest date', async (t) => {
  const { source, calls } = fakeSource({
    texts: {
      'http://m/debian/dists/trixie/InRelease': trixie,
      'http://m/security/dists/trixie-security/InRelease': await signed({
        codename: 'trixie-security',
        day: '11',
        byHash: false,
        files: listed(arm64, 'three'),
      }),
    },
  })
  const indexes = await fetchIndexes(options(source))
  t.deepEqual(
    indexes.map(({ release }) => `${release.archive} ${release.name}`),
    ['main trixie', 'security trixie-security'],
  )
  t.is(timeOf(indexes), '2026-01-11T10:00:00.000Z')
  t.true(calls.urls.includes(`http://m/security/dists/trixie-security/${arm64}`))
})

test('a mirror without the suite', async (t) => {
  const { source } = fakeSource({})
  const error = await t.throwsAsync(fetchIndexes(options(source)), { instanceOf: PibakeError })
  t.is(error?.code, 'NETWORK')
  t.true(error?.message.includes('`trixie`'))
})

test('an archive of a base image: verified by the keys that the image has, with the components that it names', async (t) => {
  const { source } = fakeSource({ texts: vendorTexts })
  const sources = { debian: true, others: [{ ...vendor, keys: [made.publicKey] }] }
  const indexes = await fetchIndexes({ ...options(source), sources })
  t.deepEqual(
    indexes.map(({ release, lists }) => [release.archive, release.name, ...lists.map(({ path }) => path)]),
    [
      ['main', 'trixie', arm64],
      ['raspi', 'trixie', arm64, zipped],
    ],
  )
})

test('a base image that takes nothing of Debian gets nothing of it', async (t) => {
  const { source, calls } = fakeSource({ texts: { ...vendorTexts, 'http://l/x/dists/trixie/InRelease': trixie } })
  const sources = { debian: false, others: [{ ...vendor, keys: [made.publicKey] }] }
  const mirrors = { main: 'http://m/debian', security: undefined, others: { raspi: 'http://l/x' } }
  const indexes = await fetchIndexes({ ...options(source), mirrors, sources })
  t.deepEqual(
    indexes.map(({ release }) => release.archive),
    ['raspi'],
  )
  t.deepEqual(calls.read, ['http://l/x/dists/trixie/InRelease'])
})

for (const [reason, texts, keys, code, said] of [
  ['signed by somebody else', vendorTexts, [other.publicKey], 'SIGNATURE_INVALID', /trixie/],
  [
    'not there',
    { 'http://m/debian/dists/trixie/InRelease': trixie },
    [made.publicKey],
    'NETWORK',
    /http:\/\/r\/debian/,
  ],
] as const) {
  test(`an archive of a base image that is ${reason}`, async (t) => {
    const { source } = fakeSource({ texts })
    const sources = { debian: true, others: [{ ...vendor, keys }] }
    const error = await t.throwsAsync(fetchIndexes({ ...options(source), sources }), { instanceOf: PibakeError })
    t.is(error?.code, code)
    t.regex(error?.message ?? '', said)
    if (code === 'NETWORK') t.regex(error?.hint ?? '', /PIBAKE_MIRROR_RASPI/)
  })
}

test('packages of another suite: its index is verified and marked, and has to be there', async (t) => {
  const asked = { packagesFrom: { sid: ['b', 'a'] } }
  const { source } = fakeSource({
    texts: {
      'http://m/debian/dists/trixie/InRelease': trixie,
      'http://m/debian/dists/sid/InRelease': await signed({ codename: 'sid', day: '11', files: listed(arm64, 'four') }),
    },
  })
  const indexes = await fetchIndexes({ ...options(source), ...asked })
  t.deepEqual(
    indexes.map(({ release, only }) => [release.archive, release.name, only]),
    [
      ['main', 'trixie', undefined],
      ['main', 'sid', ['b', 'a']],
    ],
  )
  t.is(timeOf(indexes), '2026-01-11T10:00:00.000Z')
  t.is(
    pins(indexes),
    `Package: *
Pin: release n=sid
Pin-Priority: -1

Package: a b
Pin: release n=sid
Pin-Priority: 600

`,
  )

  const { source: without } = fakeSource({ texts: { 'http://m/debian/dists/trixie/InRelease': trixie } })
  const error = await t.throwsAsync(fetchIndexes({ ...options(without), ...asked }), { instanceOf: PibakeError })
  t.is(error?.code, 'NETWORK')
  t.true(error?.message.includes('`sid`'))

  const { source: unsigned } = fakeSource({
    texts: { 'http://m/debian/dists/trixie/InRelease': trixie, 'http://m/debian/dists/sid/InRelease': '<html>' },
  })
  const refused = await t.throwsAsync(fetchIndexes({ ...options(unsigned), ...asked }), { instanceOf: PibakeError })
  t.is(refused?.code, 'SIGNATURE_INVALID')
})

test('a mirror that lacks a list its index names', async (t) => {
  const { source } = fakeSource({
    texts: { 'http://m/debian/dists/trixie/InRelease': trixie },
    gone: [hashBytes('one')],
  })
  const error = await t.throwsAsync(fetchIndexes(options(source)), { instanceOf: PibakeError })
  t.is(error?.code, 'NETWORK')
  t.deepEqual(error?.details, [`trixie ${arm64}`])
})

test('updates that nobody trusted has signed stop everything', async (t) => {
  const { source } = fakeSource({
    texts: {
      'http://m/debian/dists/trixie/InRelease': trixie,
      'http://m/debian/dists/trixie-updates/InRelease': '<html>',
    },
  })
  const error = await t.throwsAsync(fetchIndexes(options(source)), { instanceOf: PibakeError })
  t.is(error?.code, 'SIGNATURE_INVALID')
  t.true(error?.message.includes('`trixie-updates`'))
})

test('an index out of date that is accepted is told', async (t) => {
  const old = await signed({ codename: 'trixie', validUntil: 'Sat, 10 Jan 2026 11:00:00 UTC' })
  const { source } = fakeSource({ texts: { 'http://m/debian/dists/trixie/InRelease': old } })
  const events: PibakeEvent[] = []
  await t.throwsAsync(fetchIndexes(options(source)), { instanceOf: PibakeError })
  await fetchIndexes({ ...options(source, events), acceptExpired: true })
  t.true(events.some((event) => event.type === 'notice' && event.message.includes('2026-01-10T11:00:00.000Z')))
})

test('no security archive: a warning, no request', async (t) => {
  const { source, calls } = fakeSource({ texts: { 'http://m/debian/dists/trixie/InRelease': trixie } })
  const events: PibakeEvent[] = []
  await fetchIndexes({ ...options(source, events), mirrors: { main: 'http://m/debian', security: undefined } })
  t.is(calls.read.length, 2)
  t.true(events.some((event) => event.type === 'notice' && event.level === 'warn'))
})

test('lists become one table', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-test-indexes-'))
  const empty = Buffer.from('/Td6WFoAAATm1rRGAAAAABzfRCEftvN9AQAAAAAEWVo=', 'base64')
  await writeFile(join(folder, hashBytes('one')), empty)
  const { source } = fakeSource({
    texts: { 'http://m/debian/dists/trixie/InRelease': trixie },
    blobPath: (sha256) => join(folder, sha256),
  })
  const table = await readPackageTable(await fetchIndexes(options(source)), source.blobPath)
  t.is(table.byName.size, 0)
})
