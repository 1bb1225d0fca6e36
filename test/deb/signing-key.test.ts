import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { generateKey } from 'openpgp'
import { PibakeError } from '../../builder/core/error.ts'
import { openSigningKey } from '../../builder/deb/signing-key.ts'
import { scratch } from '../support/scratch.ts'

test('a key is made once, for its owner alone, and read from then on', async (t) => {
  const path = join(await scratch(t), 'pibake', 'key.asc')
  const made = await openSigningKey(path, { owner: 'the mill' })
  t.true(made.isNew)
  t.is((await stat(path)).mode & 0o777, 0o600)
  const read = await openSigningKey(path, { owner: 'the mill' })
  t.false(read.isNew)
  t.is(read.fingerprint, made.fingerprint)
  t.is(read.publicKey, made.publicKey)
  t.false(made.publicKey.includes('PRIVATE'))
  t.regex(made.fingerprint, /^[0-9A-F]{40}$/)
})

test('what apt is given is the text with its signature around it', async (t) => {
  const key = await openSigningKey(join(await scratch(t), 'key.asc'), { owner: 'the mill' })
  const text = (await key.sign('Origin: pibake\n', 0)).inline
  t.regex(text, /^-----BEGIN PGP SIGNED MESSAGE-----\n.*\nOrigin: pibake\n.*-----BEGIN PGP SIGNATURE-----/s)
})

for (const [what, make] of [
  ['no key', async () => 'hello\n'],
  [
    'a public key',
    async () => (await generateKey({ type: 'ecc', curve: 'ed25519Legacy', userIDs: [{ name: 'x' }] })).publicKey,
  ],
  [
    'a key with a pass phrase',
    async () =>
      (await generateKey({ type: 'ecc', curve: 'ed25519Legacy', userIDs: [{ name: 'x' }], passphrase: 'y' }))
        .privateKey,
  ],
] as const) {
  test(`a file with ${what} is refused and left alone`, async (t) => {
    const path = join(await scratch(t), 'key.asc')
    const text = await make()
    await writeFile(path, text)
    const error = await t.throwsAsync(openSigningKey(path, { owner: 'the mill' }), { instanceOf: PibakeError })
    t.is(error?.code, 'CONFIG_INVALID')
    t.is(await readFile(path, 'utf8'), text)
  })
}
