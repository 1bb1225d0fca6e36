import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { createMessage, generateKey, sign } from 'openpgp'
import { verifyDetached } from '../../builder/fetch/base-signature.ts'
import { scratch } from '../support/scratch.ts'
import { tools } from '../support/tools.ts'

const makeKey = (name: string) =>
  generateKey({ type: 'rsa', rsaBits: 2048, userIDs: [{ name }], format: 'object', date: new Date('2026-01-01') })

const [publisher, stranger] = await Promise.all([makeKey('Publisher'), makeKey('Stranger')])
const content = Buffer.alloc(3_000_000, 'an archive ')
const options = { tools, keys: [publisher.publicKey], label: 'raspios-lite-arm64' }

const signWith = async ({ privateKey }: typeof publisher, data = content, format: 'binary' | 'armored' = 'binary') =>
  Buffer.from(
    (await sign({
      message: await createMessage({ binary: data }),
      signingKeys: privateKey,
      detached: true,
      format: format as 'binary',
    })) as Uint8Array,
  )

test('a detached signature is verified, binary or armoured, and the key is named', async (t) => {
  const folder = await scratch(t)
  const path = join(folder, 'archive')
  await writeFile(path, content)
  const fingerprint = publisher.publicKey.getFingerprint().toUpperCase()
  for (const format of ['binary', 'armored'] as const) {
    t.is(
      await verifyDetached(path, await signWith(publisher, content, format), { ...options, scratch: folder }),
      fingerprint,
    )
  }
})

test('another content, another key and no signature at all are refused', async (t) => {
  const folder = await scratch(t)
  const path = join(folder, 'archive')
  await writeFile(path, content)
  const refused: [Buffer, RegExp][] = [
    [
      await signWith(publisher, Buffer.alloc(3_000_000, 'an archivE ')),
      /`raspios-lite-arm64` cannot be trusted: .*another content/,
    ],
    [await signWith(stranger), /by the key [0-9A-F]{16}, which is not trusted/],
    [Buffer.from('not found'), /it is no signature/],
  ]
  for (const [signature, message] of refused) {
    await t.throwsAsync(verifyDetached(path, signature, { ...options, scratch: folder }), {
      code: 'SIGNATURE_INVALID',
      message,
    })
  }
})
