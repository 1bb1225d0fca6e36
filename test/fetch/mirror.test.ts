import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { findMirrors, pickMirrors } from '../../builder/fetch/mirror.ts'

test('only archives of Debian count, and only over http', (t) => {
  t.deepEqual(
    pickMirrors([
      { uri: 'https://deb.vendor.example/node_24.x', suite: 'nodistro' },
      { uri: 'http://ubuntu.example/ubuntu', suite: 'noble' },
      { uri: 'cdrom:[x]/', suite: 'trixie' },
      { uri: 'http://sec.example/debian-security', suite: 'stable-security' },
      { uri: 'http://m.example/debian/', suite: 'sid' },
    ]),
    { main: 'http://m.example/debian', security: 'http://sec.example/debian-security' },
  )
})

const aptFolder = async (files: Readonly<Record<string, string>>): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-test-apt-'))
  await mkdir(join(folder, 'sources.list.d'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}
const oneLine = `deb [ arch=amd64 ] https://other.example/debian trixie-updates main # why
deb http://sec.example/debian-security/ trixie-security main
`
const deb822 = `Types: deb
URIs: http://a.example/debian/
Suites: bookworm bookworm-updates
Components: main
`
const never = async (): Promise<boolean> => false

test('apt configuration of the host is read from both formats', async (t) => {
  const folder = await aptFolder({ 'sources.list.d/debian.sources': deb822, 'sources.list.d/x.list': oneLine })
  t.deepEqual(await findMirrors({ aptFolder: folder, env: {}, suite: 'trixie', answers: never }), {
    main: 'http://a.example/debian',
    security: 'http://sec.example/debian-security',
  })
})

test('--mirror wins over the environment, which wins over apt', async (t) => {
  const folder = await aptFolder({ 'sources.list': oneLine })
  const options = { aptFolder: folder, suite: 'trixie', answers: never }
  const env = { PIBAKE_MIRROR: 'http://env.example/debian/', PIBAKE_SNAPSHOT: 'http://snap.example/archive/' }
  t.deepEqual(await findMirrors({ ...options, env }), {
    main: 'http://env.example/debian',
    security: undefined,
    snapshot: 'http://snap.example/archive',
  })
  t.is((await findMirrors({ ...options, env, mirror: 'http://given.example/d' })).main, 'http://given.example/d')
})

test('the security archive beside the mirror is taken only when it answers', async (t) => {
  const asked: string[] = []
  const answers = async (url: string): Promise<boolean> => {
    asked.push(url)
    return true
  }
  const mirrors = await findMirrors({ mirror: 'http://m.example/debian', env: {}, suite: 'forky', answers })
  t.is(mirrors.security, 'http://m.example/debian-security')
  t.deepEqual(asked, ['http://m.example/debian-security/dists/forky-security/InRelease'])
})

test('no mirror anywhere is an error with a way out', async (t) => {
  const error = await t.throwsAsync(
    findMirrors({ aptFolder: '/nonexistent/apt', env: {}, suite: 'trixie', answers: never }),
    { instanceOf: PibakeError },
  )
  t.is(error?.code, 'NETWORK')
  t.true(error?.hint.includes('--mirror'))
})

test('what is not an address is refused', async (t) => {
  const error = await t.throwsAsync(
    findMirrors({ mirror: 'mirror.example', env: {}, suite: 'trixie', answers: never }),
    {
      instanceOf: PibakeError,
    },
  )
  t.is(error?.code, 'USAGE')
})
