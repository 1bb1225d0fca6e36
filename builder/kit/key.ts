import { readFile } from 'node:fs/promises'
import { createMessage, readKey, readSignature, verify } from 'openpgp'
import { PibakeError } from '../core/error.ts'

/**
 * Check a detached signature of `text` by the armoured public key; returns the key's fingerprint in capital hexadecimal
 * digits. Throws what openpgp says of one that does not hold.
 */
export const verifySignature = async (text: string, signature: string, publicText: string): Promise<string> => {
  const key = await readKey({ armoredKey: publicText })
  if (key.isPrivate()) throw new Error('the key on the stick is a private one')
  const { signatures } = await verify({
    message: await createMessage({ text }),
    signature: await readSignature({ armoredSignature: signature }),
    verificationKeys: key,
    // A clock that was never set (a Pi, a laptop without battery) must not make a good stick bad.
    date: new Date(Math.max(Date.now(), key.getCreationTime().getTime() + 1000)),
  })
  if (!signatures[0]) throw new Error('there is no signature')
  await signatures[0].verified
  return key.getFingerprint().toUpperCase()
}

/**
 * The fingerprint that is meant by `text`: itself, however it is grouped, or that of the public key in a file. 40 capital
 * hexadecimal digits. Throws `USAGE` for what is neither.
 */
export const readFingerprint = async (text: string): Promise<string> => {
  const plain = text.replaceAll(/[\s:]/g, '').toUpperCase()
  if (/^[0-9A-F]{40}$/.test(plain)) return plain
  try {
    return (await readKey({ armoredKey: await readFile(text, 'utf8') })).getFingerprint().toUpperCase()
  } catch (cause) {
    throw new PibakeError('USAGE', `\`${text}\` is neither the fingerprint of a key nor a file with one.`, {
      hint: 'A fingerprint has 40 digits and letters from A to F, as `pibake kit` shows them when it makes a kit.',
      cause,
    })
  }
}

/** A fingerprint as people compare it: groups of four. */
export const showFingerprint = (fingerprint: string): string => fingerprint.replaceAll(/(.{4})(?=.)/g, '$1 ')
