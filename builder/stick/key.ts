import { chmod, mkdir, open, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import {
  createCleartextMessage,
  createMessage,
  generateKey,
  type PrivateKey,
  readKey,
  readPrivateKey,
  readSignature,
  sign,
  verify,
} from 'openpgp'
import { errnoOf, PibakeError } from '../core/error.ts'

/** A key that signs kits, with what is shown of it. */
export interface SigningKey {
  private: PrivateKey
  /** The public part, armoured. */
  publicText: string
  /** 40 capital hexadecimal digits. */
  fingerprint: string
}

/** Where a person's own key is kept, unless named: it outlives every checkout. */
export const defaultKeyPath = (env: Readonly<Record<string, string | undefined>> = process.env): string =>
  join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'pibake', 'kit-key.asc')

const describe = async (path: string, text: string): Promise<SigningKey> => {
  try {
    const key = await readPrivateKey({ armoredKey: text })
    if (!key.isDecrypted()) throw new Error('it is protected by a pass phrase')
    return { private: key, publicText: key.toPublic().armor(), fingerprint: key.getFingerprint().toUpperCase() }
  } catch (cause) {
    throw new PibakeError('CONFIG_INVALID', `\`${path}\` holds no OpenPGP key that can sign.`, {
      hint: 'Name the file of a private key without pass phrase with `--key`, or move this one away for a new one to be made.',
      details: [cause instanceof Error ? cause.message : String(cause)],
      cause,
    })
  }
}

/**
 * A new key: Ed25519 in the form that gpgv 2.2 and sqv both read (OpenPGP version 4), valid until it is replaced. It has
 * no address, for it stands for a group.
 */
const makeKey = async (): Promise<string> => {
  const { privateKey } = await generateKey({
    type: 'ecc',
    curve: 'ed25519Legacy',
    userIDs: [{ name: 'pibake kit' }],
    // A clock that runs a little late elsewhere must not find a key of the future.
    date: new Date(Date.now() - 24 * 3600 * 1000),
  })
  return privateKey
}

/** The key in a file, which is made when there is none yet. Throws `CONFIG_INVALID` for a file with no usable key. */
export const openSigningKey = async (path: string): Promise<SigningKey & { isNew: boolean }> => {
  const present = await readFile(path, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (present !== undefined) return { ...(await describe(path, present)), isNew: false }
  const text = await makeKey()
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(text)
  await file.sync()
  await chmod(path, 0o600)
  return { ...(await describe(path, text)), isNew: true }
}

/** A detached signature, armoured. */
export const signDetached = async (text: string, key: SigningKey): Promise<string> =>
  sign({ message: await createMessage({ text }), signingKeys: key.private, detached: true, format: 'armored' })

/**
 * Text with its signature around it, as apt wants `InRelease`. The library ends the lines of the text as mail does, which
 * apt would take for part of the values; the signature is of the text in one form of line ends, whatever stands there
 * (RFC 9580, 7.1).
 */
export const signInline = async (text: string, key: SigningKey): Promise<string> =>
  (await sign({ message: await createCleartextMessage({ text }), signingKeys: key.private })).replaceAll('\r\n', '\n')

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
