import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { generateKey } from 'openpgp'
import { PibakeError } from '../../builder/core/error.ts'
import {
  defaultKeyPath,
  openSigningKey,
  readFingerprint,
  showFingerprint,
  signDetached,
  signInline,
  verifySignature,
} from '../../builder/stick/key.ts'
import { scratch } from '../support/scratch.ts'
import { makeKey } from './_kit.ts'

test('a key is made once, for its owner alone, and read from then on', async (t) => {
  const path = join(await scratch(t), 'pibake', 'key.asc')
  const made = await openSigningKey(path)
  t.true(made.isNew)
  t.is((await stat(path)).mode & 0o777, 0o600)
  const read = await openSigningKey(path)
  t.false(read.isNew)
  t.is(read.fingerprint, made.fingerprint)
  t.is(read.publicText, made.publicText)
  t.false(made.publicText.includes('PRIVATE'))
  t.regex(made.fingerprint, /^[0-9A-F]{40}$/)
})

test('a signature holds for the text it was made of, by the key that made it', async (t) => {
  const [key, other] = [await makeKey(t), await makeKey(t)]
  const signature = await signDetached('sums\n', key)
  t.is(await verifySignature('sums\n', signature, key.publicText), key.fingerprint)
  await t.throwsAsync(verifySignature('other sums\n', signature, key.publicText))
  await t.throwsAsync(verifySignature('sums\n', signature, other.publicText))
  await t.throwsAsync(verifySignature('sums\n', '', key.publicText))
  await t.throwsAsync(verifySignature('sums\n', signature, ''))
})

test('a stick with the private key on it is not taken', async (t) => {
  const path = join(await scratch(t), 'key.asc')
  const key = await openSigningKey(path)
  const signature = await signDetached('sums\n', key)
  await t.throwsAsync(verifySignature('sums\n', signature, await readFile(path, 'utf8')))
})

test('what apt is given is the text with its signature around it', async (t) => {
  const text = await signInline('Origin: pibake\n', await makeKey(t))
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
    const error = await t.throwsAsync(openSigningKey(path), { instanceOf: PibakeError })
    t.is(error?.code, 'CONFIG_INVALID')
    t.is(await readFile(path, 'utf8'), text)
  })
}

test('where the key is kept', (t) => {
  t.is(defaultKeyPath({ XDG_CONFIG_HOME: '/home/a/conf' }), '/home/a/conf/pibake/kit-key.asc')
  t.regex(defaultKeyPath({}), /\/\.config\/pibake\/kit-key\.asc$/)
})

test('a key is named by its fingerprint, however that is written, or by a file', async (t) => {
  const { fingerprint, publicText } = await makeKey(t)
  t.is(await readFingerprint(fingerprint), fingerprint)
  t.is(await readFingerprint(showFingerprint(fingerprint).toLowerCase()), fingerprint)
  t.is(await readFingerprint(fingerprint.replaceAll(/(..)(?=.)/g, '$1:')), fingerprint)
  const file = join(await scratch(t), 'key.asc')
  await writeFile(file, publicText)
  t.is(await readFingerprint(file), fingerprint)
  for (const text of ['abc', fingerprint.slice(1), join(file, 'none')]) {
    const error = await t.throwsAsync(readFingerprint(text), { instanceOf: PibakeError })
    t.is(error?.code, 'USAGE')
  }
})

test('a fingerprint is shown in groups of four', (t) => t.is(showFingerprint('0123456789AB'), '0123 4567 89AB'))
