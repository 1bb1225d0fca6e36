import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { createCleartextMessage, createMessage, generateKey, type PrivateKey, readPrivateKey, sign } from 'openpgp'
import { errnoOf, PibakeError } from '../core/error.ts'

/** The key by which a group signs what it hands on: lists of packages, and kits. */
export interface SigningKey {
  /** Where its secret part is. */
  path: string
  /** ASCII-armoured. */
  publicKey: string
  /** Hexadecimal, upper case. */
  fingerprint: string
  /** Whether it was made just now. */
  isNew: boolean
  /**
   * Sign a text of that time (seconds since 1970). `inline` has the text in it, as apt wants `InRelease`; `detached` lies
   * beside it. Both are ASCII-armoured.
   */
  sign(text: string, timeSeconds: number): Promise<{ inline: string; detached: string }>
}

/** Whoever takes the signature may have a clock that stood still for years, as a Pi's without a network. */
const bornAt = new Date('2020-01-01T00:00:00Z')

/** Where the key lies unless another place is named: with the user, not in the checkout, which is copied onto sticks. */
export const defaultKeyPath = (env: Readonly<Record<string, string | undefined>> = process.env): string => {
  if (env.PIBAKE_KEY) return env.PIBAKE_KEY
  return join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'pibake', 'signing-key.asc')
}

const unusable = (path: string, reason: string, cause?: unknown): PibakeError =>
  new PibakeError('CONFIG_INVALID', `The key \`${path}\` cannot sign: ${reason}.`, {
    hint: 'It has to be an OpenPGP secret key without a pass phrase, ASCII-armoured; name another file with `--key`.',
    ...(cause === undefined ? {} : { cause }),
  })

const readIfThere = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined
    throw unusable(path, `it cannot be read (${errnoOf(cause) ?? 'unknown error'})`, cause)
  }
}

/** Put a new secret in its place, unless another process was first: readable for its owner alone, whole or not there. */
const keepSecret = async (path: string, text: string): Promise<void> => {
  const partial = `${path}.${randomUUID().slice(0, 8)}`
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeFile(partial, text, { mode: 0o600, flag: 'wx', flush: true })
    await link(partial, path)
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') return
    throw unusable(path, `it is not there and cannot be written (${errnoOf(cause) ?? 'unknown error'})`, cause)
  } finally {
    await rm(partial, { force: true })
  }
}

/** A key that sqv and gpgv take alike: Ed25519 in the form of RFC 9580's version 4 keys. */
const makeKey = async (path: string, owner: string): Promise<void> => {
  const userIDs = [{ name: owner }]
  const { privateKey } = await generateKey({ type: 'ecc', curve: 'ed25519Legacy', userIDs, date: bornAt })
  await keepSecret(path, privateKey)
}

const readKey = async (path: string, armoredKey: string): Promise<PrivateKey> => {
  const key = await readPrivateKey({ armoredKey }).catch((cause: unknown) => {
    throw unusable(path, 'it is no secret key', cause)
  })
  if (!key.isDecrypted()) throw unusable(path, 'it has a pass phrase')
  return key
}

/**
 * The key at `path`, made when there is none, in the name of `owner`. Throws `CONFIG_INVALID` for a file that is no such
 * key, or cannot be read or written.
 */
export const openSigningKey = async (path: string, { owner }: { owner: string }): Promise<SigningKey> => {
  const found = await readIfThere(path)
  if (found === undefined) await makeKey(path, owner)
  const key = await readKey(path, found ?? (await readFile(path, 'utf8')))
  return {
    path,
    publicKey: key.toPublic().armor(),
    fingerprint: key.getFingerprint().toUpperCase(),
    isNew: found === undefined,
    sign: async (text, timeSeconds) => {
      const date = new Date(Math.max(timeSeconds * 1000, key.getCreationTime().getTime()))
      try {
        const message = await createCleartextMessage({ text })
        // openpgp ends lines as mail does. The signature is of one form of them (RFC 9580, 7.1); apt wants the plain one.
        const inline = (await sign({ message, signingKeys: key, date })).replaceAll('\r\n', '\n')
        const plain = await createMessage({ text })
        const detached = await sign({ message: plain, signingKeys: key, detached: true, date })
        return { inline, detached }
      } catch (cause) {
        throw unusable(path, cause instanceof Error ? cause.message : String(cause), cause)
      }
    },
  }
}
