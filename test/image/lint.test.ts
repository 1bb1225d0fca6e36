import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import type { Architecture } from '../../builder/host/architecture.ts'
import { assertClean, type LintReport, lintRoot } from '../../builder/image/lint.ts'

interface Item {
  path: string
  content?: string | Buffer
  link?: string
  mode?: number
}

const lint = async (
  items: readonly Item[],
  options: { architecture?: Architecture; skip?: (path: string) => boolean } = {},
): Promise<LintReport> => {
  const root = await mkdtemp(join(tmpdir(), 'pibake-lint-'))
  try {
    for (const { path, content, link, mode } of items) {
      const place = join(root, path)
      await mkdir(dirname(place), { recursive: true })
      if (link !== undefined) await symlink(link, place)
      else if (content === undefined) await mkdir(place, { recursive: true })
      else await writeFile(place, content)
      if (mode !== undefined) await chmod(place, mode)
    }
    return await lintRoot(root, { architecture: 'arm64', ...options })
  } finally {
    await rm(root, { recursive: true })
  }
}

/** An ELF header for the given machine. */
const elf = (machine: number, bigEndian = false): Buffer => {
  const header = Buffer.alloc(64)
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, bigEndian ? 2 : 1, 1])
  if (bigEndian) header.writeUInt16BE(machine, 18)
  else header.writeUInt16LE(machine, 18)
  return header
}
// Put together here, so that no scanner takes this file for a key.
const begin = (kind: string): string => `-----BEGIN ${kind}PRIVATE KEY-----\n`
const key = `${begin('')}${'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC'.repeat(2)}\n-----END`
const hash = '$6$salt$0123456789'

const bad: [rule: string, item: Item][] = [
  ['ssh-host-key', { path: '/etc/ssh/ssh_host_ed25519_key', content: 'x' }],
  ['ssh-host-key', { path: '/etc/ssh/ssh_host_rsa_key.pub', content: 'x' }],
  ['private-key', { path: '/etc/ssl/private/node.pem', content: key }],
  ['private-key', { path: '/opt/pibake/x/node_modules/y/lib/key.pem', content: `cert\n${key}` }],
  ['private-key', { path: '/root/.ssh/id', content: key.replaceAll('PRIVATE', 'OPENSSH PRIVATE') }],
  [
    'private-key',
    { path: '/srv/old.pem', content: `${begin('RSA ')}Proc-Type: 4,ENCRYPTED\nDEK-Info: X\n\n${'Ab+/'.repeat(12)}\n` },
  ],
  ['machine-id', { path: '/etc/machine-id', content: '0123456789abcdef0123456789abcdef\n' }],
  ['machine-id', { path: '/var/lib/dbus/machine-id', content: '0123456789abcdef0123456789abcdef\n' }],
  ['random-seed', { path: '/var/lib/systemd/random-seed', content: 'x' }],
  ['random-seed', { path: '/var/lib/systemd/credential.secret', content: 'x' }],
  ['mesh-key', { path: '/etc/yggdrasil/yggdrasil.conf', content: '{}' }],
  ['mesh-key', { path: '/etc/cjdns/cjdroute.conf', content: '{}' }],
  ['ssb-secret', { path: '/var/lib/ssb/.ssb/secret', content: '{}' }],
  ['signing-key', { path: '/etc/matrix-synapse/homeserver.signing.key', content: 'ed25519 a b' }],
  ['gpg-key', { path: '/root/.gnupg/private-keys-v1.d/AB.key', content: '(' }],
  ['wifi-password', { path: '/etc/wpa_supplicant/wpa_supplicant.conf', content: 'network={\n  psk="secret"\n}' }],
  ['wifi-password', { path: '/boot/firmware/network-config', content: 'wifis:\n  password: "secret"\n' }],
  ['wifi-password', { path: '/boot/firmware/access-point', content: 'ssid=Village\npassphrase=secret words\n' }],
  ['wifi-password', { path: '/etc/hostapd/wlan0.conf', content: 'wpa=2\nwpa_passphrase=secret words\n' }],
  ['wifi-password', { path: '/etc/network/interfaces', content: 'iface wlan0\n  wpa-psk secret\n' }],
  ['wireguard-key', { path: '/etc/wireguard/wg0.conf', content: '[Interface]\nPrivateKey = abc=\n' }],
  ['policy-rc.d', { path: '/usr/sbin/policy-rc.d', content: '#!/bin/sh\nexit 101\n' }],
  ['resolv.conf', { path: '/etc/resolv.conf', content: 'nameserver 192.0.2.1\n' }],
  ['mount-point', { path: '/.native' }],
  ['mount-point', { path: '/.pibake' }],
  ['mount-point', { path: '/usr/lib/x86_64-linux-gnu' }],
  ['foreign-elf', { path: '/usr/bin/qemu', content: elf(62) }],
  ['foreign-elf', { path: '/opt/x/node_modules/y/prebuilds/linux-arm/y.node', content: elf(40) }],
  ['foreign-elf', { path: '/opt/x/s390x.node', content: elf(22, true) }],
  ['dpkg-leftover', { path: '/etc/default/ssh.dpkg-new', content: '' }],
  ['dpkg-leftover', { path: '/usr/bin/x.dpkg-tmp', content: '' }],
  ['temporary-file', { path: '/tmp/build.log', content: 'x' }],
  ['temporary-file', { path: '/var/tmp/x', content: '' }],
  ['apt-leftover', { path: '/var/lib/apt/lists/mirror_dists_trixie_InRelease', content: 'x' }],
  ['apt-leftover', { path: '/var/cache/apt/archives/a_1_arm64.deb', content: 'x' }],
  ['apt-leftover', { path: '/var/cache/apt/pkgcache.bin', content: 'x' }],
  ['shell-history', { path: '/root/.bash_history', content: 'ls\n' }],
  ['world-writable', { path: '/etc/motd', content: 'x', mode: 0o666 }],
  ['world-writable', { path: '/srv/drop', mode: 0o777 }],
  ['default-password', { path: '/etc/shadow', content: `root:*:1::::::\npi:${hash}:1::::::\n` }],
  ['default-password', { path: '/etc/shadow', content: 'root::1::::::\n' }],
  ['default-password', { path: '/etc/shadow', content: `root:!${hash}:1::::::\n` }],
  ['default-password', { path: '/etc/shadow-', content: `root:${hash}:1::::::\n` }],
  ['default-password', { path: '/etc/passwd', content: 'root::0:0:root:/root:/bin/sh\n' }],
]

for (const [index, [rule, item]] of bad.entries()) {
  test(`${rule} (${index + 1}): finds ${item.path}`, async (t) => {
    const { findings } = await lint([item])
    t.deepEqual(
      findings.map((finding) => [finding.rule, finding.path]),
      [[rule, item.path]],
    )
  })
}

const good: [name: string, item: Item][] = [
  ['a public key', { path: '/root/.ssh/authorized_keys', content: 'ssh-ed25519 AAAA me' }],
  ['code that names the header of a key', { path: '/usr/lib/a.js', content: `const head = '${begin('').trim()}\\n'` }],
  ['a key in documentation', { path: '/usr/share/doc/openssl/demo.pem', content: key }],
  ['a key among the fixtures of an npm package', { path: '/opt/x/node_modules/y/test/fixtures/k.pem', content: key }],
  [
    "a key for a Python module's tests",
    { path: '/usr/lib/python3/dist-packages/x/conch/test/keydata.py', content: key },
  ],
  ['the console of Synapse', { path: '/usr/lib/python3/dist-packages/synapse/util/manhole.py', content: key }],
  ['an uninitialised machine id', { path: '/etc/machine-id', content: 'uninitialized\n' }],
  ['an empty machine id', { path: '/etc/machine-id', content: '' }],
  ["dbus' link to the machine id", { path: '/var/lib/dbus/machine-id', link: '/etc/machine-id' }],
  ['the program yggdrasil', { path: '/usr/share/yggdrasil/yggdrasil.conf.example', content: '{}' }],
  ['a wifi configuration without password', { path: '/etc/wpa_supplicant/w.conf', content: 'country=DE\n' }],
  ['a link to the resolver', { path: '/etc/resolv.conf', link: '../run/systemd/resolve/stub-resolv.conf' }],
  ['an empty resolv.conf', { path: '/etc/resolv.conf', content: '' }],
  ['a program for the Pi', { path: '/usr/bin/ls', content: elf(183) }],
  ['an eBPF object', { path: '/usr/lib/x/probe.bpf.o', content: elf(247) }],
  ['firmware of another processor', { path: '/usr/lib/firmware/x/mac.elf', content: elf(94) }],
  ["the Pi's own firmware", { path: '/boot/firmware/start4.elf', content: elf(137) }],
  ['a short file', { path: '/usr/share/x', content: '\x7fELF' }],
  ['an empty /tmp with the sticky bit', { path: '/tmp', mode: 0o1777 }],
  ["apt's lock", { path: '/var/lib/apt/lists/lock', content: '' }],
  ['a link, whose mode means nothing', { path: '/etc/alternatives/vi', link: '/usr/bin/vim' }],
  ['locked accounts', { path: '/etc/shadow', content: 'root:*:1::::::\nsync:!:1::::::\nx:!*:1::::::\n' }],
  ['accounts in passwd', { path: '/etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\n' }],
]

for (const [name, item] of good) {
  test(`lets pass: ${name}`, async (t) => {
    t.deepEqual((await lint([item])).findings, [])
  })
}

test('reports programs that run as their owner without failing on them', async (t) => {
  const report = await lint([{ path: '/usr/bin/su', content: 'x', mode: 0o4755 }])
  t.deepEqual(report, { findings: [], setuid: ['/usr/bin/su'] })
})

test('what is skipped is not looked at', async (t) => {
  const items = [{ path: '/var/cache/apt/archives/a.deb', content: 'x' }]
  t.is((await lint(items)).findings.length, 1)
  t.deepEqual((await lint(items, { skip: (path) => path === '/var/cache/apt' })).findings, [])
})

test('a clean root passes, findings fail with all of them named', (t) => {
  t.notThrows(() => assertClean([]))
  const findings = ['/a', '/b'].map((path) => ({ rule: 'private-key', path, message: 'a private key' }))
  const error = t.throws(() => assertClean(findings), { instanceOf: PibakeError, code: 'LINT_FAILED' })
  t.deepEqual(error.details, ['/a: a private key [private-key]', '/b: a private key [private-key]'])
})

test('on an image for amd64 it is the programs of ARM that are foreign, and its own libraries lie where they should', async (t) => {
  const items = [
    { path: '/usr/bin/ls', content: elf(62) },
    { path: '/usr/lib/x86_64-linux-gnu' },
    { path: '/usr/bin/twin', content: elf(183) },
    { path: '/usr/lib/aarch64-linux-gnu' },
  ]
  const { findings } = await lint(items, { architecture: 'amd64' })
  t.deepEqual(findings.map(({ rule, path }) => `${rule} ${path}`).sort(), [
    'foreign-elf /usr/bin/twin',
    'mount-point /usr/lib/aarch64-linux-gnu',
  ])
})
