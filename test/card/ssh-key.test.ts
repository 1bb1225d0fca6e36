import { generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import { splitKeys, sshKeyFault } from '../../builder/card/ssh-key.ts'

const ed25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ'

/** A public RSA key as OpenSSH writes it (RFC 4253, section 6.6). */
const rsaKey = (): string => {
  const { n = '', e = '' } = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
  const field = (bytes: Buffer): Buffer => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    return Buffer.concat([length, bytes])
  }
  const modulus = Buffer.concat([Buffer.from([0]), Buffer.from(n, 'base64url')])
  const blob = [Buffer.from('ssh-rsa'), Buffer.from(e, 'base64url'), modulus].map(field)
  return `ssh-rsa ${Buffer.concat(blob).toString('base64')}`
}

test('good keys, with and without a comment', (t) => {
  for (const key of [ed25519, `${ed25519} ada@desk`, `${ed25519} the key of Ada`, rsaKey()]) {
    t.is(sshKeyFault(key), undefined, key)
  }
})

const faulty: Readonly<Record<string, [key: string, fault: RegExp]>> = {
  'a private key': ['-----BEGIN OPENSSH PRIVATE KEY----- b3Blb', /^is a private key/],
  'the type alone': ['ssh-ed25519', /^is cut off/],
  'a key that was cut off': [ed25519.slice(0, -8), /^is cut off/],
  'a key with a letter changed in its length': [ed25519.replace('AAAAI', 'AAAAJ'), /^is cut off/],
  'no base64': ['ssh-ed25519 AAAA*AAA', /^is cut off/],
  'another type than it says': [ed25519.replace('ssh-ed25519', 'ssh-rsa'), /^says `ssh-rsa`/],
  'options before it': [`no-pty ${ed25519}`, /^does not begin with the type/],
  'an old type': ['ssh-dss AAAAB3NzaC1kc3M=', /^does not begin with the type/],
  'a word': ['none', /^does not begin with the type/],
}
for (const [name, [key, fault]] of Object.entries(faulty)) {
  test(`refused: ${name}`, (t) => t.regex(sshKeyFault(key) ?? '', fault))
}

test('several keys in one cell are told apart by their types', (t) => {
  t.deepEqual(splitKeys(`${ed25519} ada@desk\n  ${ed25519} the other one ${ed25519}`), [
    `${ed25519} ada@desk`,
    `${ed25519} the other one`,
    ed25519,
  ])
  t.deepEqual(splitKeys(`no-pty ${ed25519}`), ['no-pty', ed25519])
  t.deepEqual(splitKeys(' '), [])
})
