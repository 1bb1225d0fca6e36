import test from 'ava'
import { parseDeb822Sources, parseOneLineSources } from '../../builder/deb/apt-sources.ts'

const oneLine = `# comment
deb http://mirror.example/debian/ trixie main contrib
deb-src http://mirror.example/debian trixie main
  deb [ arch=amd64,arm64 signed-by=/x.gpg ] https://other.example/debian trixie-updates main # why
deb cdrom:[Debian]/ trixie main
deb http://sec.example/debian-security/ trixie-security main
`

const deb822 = `Types: deb deb-src
URIs: http://a.example/debian http://b.example/debian
Suites: bookworm bookworm-updates
Components: main
# Types: comment
Signed-By: /usr/share/keyrings/x.gpg

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: trixie

Types: deb-src
URIs: http://sources.example/debian
Suites: trixie
`

test('one-line sources', (t) => {
  t.deepEqual(parseOneLineSources(oneLine).slice(0, 2), [
    {
      uri: 'http://mirror.example/debian/',
      suite: 'trixie',
      components: ['main', 'contrib'],
      architectures: [],
      signedBy: undefined,
    },
    {
      uri: 'https://other.example/debian',
      suite: 'trixie-updates',
      components: ['main'],
      architectures: ['amd64', 'arm64'],
      signedBy: '/x.gpg',
    },
  ])
})

test('deb822 sources, without disabled ones and sources', (t) => {
  const rest = { components: ['main'], architectures: [], signedBy: '/usr/share/keyrings/x.gpg' }
  t.deepEqual(parseDeb822Sources(deb822), [
    { uri: 'http://a.example/debian', suite: 'bookworm', ...rest },
    { uri: 'http://a.example/debian', suite: 'bookworm-updates', ...rest },
    { uri: 'http://b.example/debian', suite: 'bookworm', ...rest },
    { uri: 'http://b.example/debian', suite: 'bookworm-updates', ...rest },
  ])
})

test('a key may stand in the entry itself', (t) => {
  const [source] = parseDeb822Sources(`Types: deb
URIs: http://a.example/debian
Suites: stable
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQ==
 -----END PGP PUBLIC KEY BLOCK-----
`)
  t.is(source?.signedBy, '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ==\n-----END PGP PUBLIC KEY BLOCK-----')
})
