import test from 'ava'
import { lanAddresses } from '../../builder/serve/addresses.ts'
import { plainAddress, programOf, shownPath, visitorHost, wantedPath } from '../../builder/serve/request.ts'

for (const [url, expected] of [
  ['/', ['/', '/']],
  ['/debian/pool/main/l/less/less_668-1_arm64.deb', undefined],
  ['/npm/@scope%2fname', ['/npm/@scope/name', '/npm/@scope%2fname']],
  ['/a%2bb?x=1#y', ['/a+b', '/a%2bb']],
  ['/a+b', ['/a+b', '/a+b']],
  ['/%zz', 400],
  ['/%ff', 400],
  ['', 400],
  ['*', 400],
  ['http://elsewhere.example/', 400],
  [`/${'a'.repeat(2000)}`, 414],
] as const) {
  test(`the path that \`${url.slice(0, 60)}\` asks for`, (t) => {
    t.deepEqual(wantedPath(url), expected ?? [url, url])
  })
}

test('nothing of a path is resolved', (t) => {
  t.deepEqual(wantedPath('/images/../../etc/passwd'), Array(2).fill('/images/../../etc/passwd'))
  t.deepEqual(wantedPath('/images/%2e%2e/x'), ['/images/../x', '/images/%2e%2e/x'])
})

test('a path cannot steer the terminal', (t) => {
  t.is(shownPath('/a%20b/\u009b2J\u001b[2J\tc'), '/a%20b/?2J?[2J?c')
  t.is(shownPath(`/${'a'.repeat(1000)}`).length, 200)
})

const request = (host: string | undefined, localAddress = '::ffff:192.168.4.1') =>
  ({ headers: { host }, socket: { localAddress, localPort: 8000 } }) as unknown as Parameters<typeof visitorHost>[0]

for (const [host, expected] of [
  ['laptop.local:8000', 'laptop.local:8000'],
  ['192.168.1.5:8000', '192.168.1.5:8000'],
  ['[fd00::1]:8000', '[fd00::1]:8000'],
  ['laptop', 'laptop'],
  [undefined, '192.168.4.1:8000'],
  ['a"><script>', '192.168.4.1:8000'],
  ['a b', '192.168.4.1:8000'],
  ['user@host', '192.168.4.1:8000'],
  ['host/../x', '192.168.4.1:8000'],
  ['host:999999', '192.168.4.1:8000'],
] as const) {
  test(`the address of the server for who says \`${host}\``, (t) => {
    t.is(visitorHost(request(host)), expected)
  })
}

test('an IPv6 address stands in brackets', (t) => {
  t.is(visitorHost(request(undefined, 'fd00::1')), '[fd00::1]:8000')
})

test('addresses are told as people know them', (t) => {
  t.is(plainAddress('::ffff:10.0.0.7'), '10.0.0.7')
  t.is(plainAddress('fe80::1%eth0'), 'fe80::1')
  t.is(plainAddress(undefined), 'unknown')
})

test('programs are told by what they say of themselves', (t) => {
  t.is(programOf('pibake'), 'pibake')
  t.is(programOf('Debian APT-HTTP/1.3 (3.0.3)'), 'apt')
  t.is(programOf('npm/11.6.0 node/v24.9.0 linux x64 workspaces/false'), 'npm')
  t.is(programOf('Mozilla/5.0 (X11; Linux x86_64)'), 'browser')
  t.is(programOf(undefined), 'another program')
})

test('the addresses for others: IPv4 first, neither loopback nor those of a link alone', (t) => {
  const shared = { netmask: '', mac: '', cidr: null }
  const four = (address: string, internal = false) => ({ ...shared, family: 'IPv4' as const, address, internal })
  const six = (address: string, internal = false) => ({
    ...{ ...shared, family: 'IPv6' as const, address, internal, scopeid: 0 },
  })
  const found = lanAddresses({
    lo: [four('127.0.0.1', true), six('::1', true)],
    eth0: [six('fe80::1'), six('fd00::7'), four('192.168.1.5')],
    wlan0: [four('192.168.4.1')],
  })
  t.deepEqual(found, [
    { name: 'eth0', host: '192.168.1.5' },
    { name: 'wlan0', host: '192.168.4.1' },
    { name: 'eth0', host: '[fd00::7]' },
  ])
})
