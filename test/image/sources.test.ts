import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { generateKey, readKey } from 'openpgp'
import { PibakeError } from '../../builder/core/error.ts'
import { describeSources } from '../../builder/image/sources.ts'
import { scratch } from '../support/scratch.ts'

const makeKey = async (name: string) => {
  const { publicKey } = await generateKey({ userIDs: [{ name }], format: 'armored' })
  const key = await readKey({ armoredKey: publicKey })
  return { text: key.armor(), bytes: key.write(), fingerprint: key.getFingerprint() }
}
const [vendor, other] = await Promise.all([makeKey('vendor'), makeKey('other')])

const debian = `Types: deb
URIs: http://mirror.example/debian/
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`
const raspi = `Types: deb
URIs: http://archive.example/debian/
Suites: trixie
Components: main rpi
Signed-By: /usr/share/keyrings/vendor.pgp
`
const sourcesIn = async (t: ExecutionContext, files: Readonly<Record<string, string | Uint8Array>>) => {
  const root = await scratch(t)
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  return describeSources(root, ['armhf', 'arm64'])
}
const parts = 'etc/apt/sources.list.d'
const keyring = { 'usr/share/keyrings/vendor.pgp': vendor.bytes }
const found = {
  uri: 'http://archive.example/debian',
  suite: 'trixie',
  components: ['main', 'rpi'],
  architectures: [],
  keys: [vendor.text],
}

test('Debian and one more, with the keyring that it names', async (t) => {
  t.deepEqual(
    await sourcesIn(t, { ...keyring, [`${parts}/debian.sources`]: debian, [`${parts}/raspi.sources`]: raspi }),
    {
      debian: true,
      others: [{ archive: 'raspi', ...found }],
    },
  )
})

test("a system of Debian's packages gets them from the mirror, whatever else it lists", async (t) => {
  const files = { ...keyring, [`${parts}/raspi.sources`]: raspi }
  const debianOf = async (id: string) =>
    (await sourcesIn(t, { ...files, 'usr/lib/os-release': `NAME=x\nID=${id}\n` })).debian
  t.deepEqual([await debianOf('debian'), await debianOf('raspbian')], [true, false])
})

test('another distribution: nothing of Debian, and several suites and addresses in one list', async (t) => {
  const list = `deb http://a.example/raspbian trixie main rpi
deb [arch=amd64] http://x.example/x trixie main
deb-src http://a.example/raspbian trixie main
deb http://a.example/raspbian/ trixie-updates main # why
deb http://b.example/y stable main
`
  const { debian: isDebian, others } = await sourcesIn(t, {
    'etc/apt/sources.list': list,
    'etc/apt/trusted.gpg.d/all.asc': vendor.text,
    'etc/apt/trusted.gpg.d/readme.txt': 'x',
  })
  t.false(isDebian)
  t.deepEqual(
    others.map(({ archive, uri, suite, components }) => [archive, uri, suite, ...components]),
    [
      ['sources', 'http://a.example/raspbian', 'trixie', 'main', 'rpi'],
      ['sources', 'http://a.example/raspbian', 'trixie-updates', 'main'],
      ['sources-2', 'http://b.example/y', 'stable', 'main'],
    ],
  )
  t.deepEqual(others[0]?.keys, [vendor.text])
})

test('the mirror that an image carries itself is none of them', async (t) => {
  const own = 'Types: deb\nURIs: file:/srv/pibake/mirror\nSuites: pibake\nComponents: main\nSigned-By: /nowhere.asc\n'
  t.deepEqual(await sourcesIn(t, { [`${parts}/pibake.sources`]: own }), { debian: true, others: [] })
})

test('a fingerprint chooses among the keys of all keyrings; a key in the entry needs none', async (t) => {
  const entry = (signedBy: string) =>
    `Types: deb\nURIs: http://a.example/debian\nSuites: trixie\nComponents: main\nSigned-By: ${signedBy}\n`
  const inline = `\n${other.text.trim().replaceAll(/^$/gm, '.').replaceAll(/^/gm, ' ')}`
  const { others } = await sourcesIn(t, {
    'etc/apt/keyrings/both.gpg': Buffer.concat([other.bytes, vendor.bytes]),
    [`${parts}/main.sources`]: entry(vendor.fingerprint.toUpperCase()),
    [`${parts}/Own_Key.sources`]: entry(inline).replace('a.example', 'b.example'),
  })
  t.deepEqual(
    others.map(({ archive, keys }) => [archive, keys]),
    [
      ['own-key', [other.text]],
      ['main-2', [vendor.text]],
    ],
  )
})

for (const [reason, files, message] of [
  ['no key', { [`${parts}/raspi.sources`]: raspi }, /has no key for its source of packages `http:\/\/archive\.example/],
  [
    'a damaged keyring',
    { [`${parts}/raspi.sources`]: raspi, 'usr/share/keyrings/vendor.pgp': 'x' },
    /keyring .* cannot be read/,
  ],
  [
    'a folder instead of a suite',
    { ...keyring, [`${parts}/raspi.sources`]: raspi.replace('trixie', './') },
    /is no suite/,
  ],
] as const) {
  test(`refused: ${reason}`, async (t) => {
    const error = await t.throwsAsync(sourcesIn(t, files), { instanceOf: PibakeError })
    t.is(error?.code, 'IMAGE_INVALID')
    t.regex(error?.message ?? '', message)
  })
}
