import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { openSigningKey } from '../../builder/deb/signing-key.ts'
import { readFingerprint, showFingerprint, verifySignature } from '../../builder/kit/key.ts'
import { scratch } from '../support/scratch.ts'
import { makeKey } from './_kit.ts'

test('a signature holds for the text it was made of, by the key that made it', async (t) => {
  const [key, other] = [await makeKey(t), await makeKey(t)]
  const signature = (await key.sign('sums\n', 0)).detached
  t.is(await verifySignature('sums\n', signature, key.publicKey), key.fingerprint)
  await t.throwsAsync(verifySignature('other sums\n', signature, key.publicKey))
  await t.throwsAsync(verifySignature('sums\n', signature, other.publicKey))
  await t.throwsAsync(verifySignature('sums\n', '', key.publicKey))
  await t.throwsAsync(verifySignature('sums\n', signature, ''))
})

test('a stick with the private key on it is not taken', async (t) => {
  const path = join(await scratch(t), 'key.asc')
  const key = await openSigningKey(path, { owner: 'the mill' })
  const signature = (await key.sign('sums\n', 0)).detached
  await t.throwsAsync(verifySignature('sums\n', signature, await readFile(path, 'utf8')))
})

test('a key is named by its fingerprint, however that is written, or by a file', async (t) => {
  const { fingerprint, publicKey } = await makeKey(t)
  t.is(await readFingerprint(fingerprint), fingerprint)
  t.is(await readFingerprint(showFingerprint(fingerprint).toLowerCase()), fingerprint)
  t.is(await readFingerprint(fingerprint.replaceAll(/(..)(?=.)/g, '$1:')), fingerprint)
  const file = join(await scratch(t), 'key.asc')
  await writeFile(file, publicKey)
  t.is(await readFingerprint(file), fingerprint)
  for (const text of ['abc', fingerprint.slice(1), join(file, 'none')]) {
    const error = await t.throwsAsync(readFingerprint(text), { instanceOf: PibakeError })
    t.is(error?.code, 'USAGE')
  }
})

test('a fingerprint is shown in groups of four', (t) => t.is(showFingerprint('0123456789AB'), '0123 4567 89AB'))
