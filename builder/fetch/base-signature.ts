import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Key, readKeys } from 'openpgp'
import { errnoOf, PibakeError } from '../core/error.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import { makeScratch } from '../host/scratch.ts'
import { keysVariable, raspberryPi } from './publisher.ts'

const untrusted = (label: string, reason: string, cause?: unknown): PibakeError =>
  new PibakeError('SIGNATURE_INVALID', `The signature of \`${label}\` cannot be trusted: ${reason}.`, {
    hint: `Do not use the image unless you know why. ${keysVariable} names a file, or a folder of files, with the keys of a publisher that you trust.`,
    ...(cause === undefined ? {} : { cause }),
  })

const parseKeys = async (bytes: Buffer): Promise<Key[]> =>
  bytes.includes('-----BEGIN PGP PUBLIC KEY BLOCK-----')
    ? readKeys({ armoredKeys: bytes.toString('utf8') })
    : readKeys({ binaryKeys: bytes })

/** The keys in a file, or in all files of a folder. Throws `CONFIG_INVALID` naming what holds none. */
const readKeyring = async (path: string): Promise<Key[]> => {
  try {
    const files = (await stat(path)).isDirectory()
      ? (await readdir(path)).sort().map((name) => join(path, name))
      : [path]
    return (await Promise.all(files.map(async (file) => parseKeys(await readFile(file))))).flat()
  } catch (cause) {
    throw new PibakeError('CONFIG_INVALID', `\`${path}\` (${keysVariable}) holds no public keys that can be read.`, {
      hint: 'Export them with `gpg --export --armor FINGERPRINT`.',
      details: [errnoOf(cause) ?? (cause instanceof Error ? cause.message : String(cause))],
      cause,
    })
  }
}

/** The publisher's key, from where it is published; believed only because of its fingerprint. */
const fetchPublisherKey = async (readText: (url: string) => Promise<string | undefined>): Promise<Key[]> => {
  const { owner, fingerprint, address } = raspberryPi.key
  const text = await readText(address)
  const keys = text === undefined ? [] : await parseKeys(Buffer.from(text)).catch(() => [])
  const key = keys.find((candidate) => candidate.getFingerprint().toUpperCase() === fingerprint)
  if (key) return [key]
  throw new PibakeError('SIGNATURE_INVALID', `\`${address}\` is not the ${owner} (${fingerprint}).`, {
    hint: `Get the key by other means and name its file in ${keysVariable}.`,
  })
}

/** The keys that may sign a base: those that are set, or the publisher's. `readText` fetches a small file. */
export const baseKeys = (
  readText: (url: string) => Promise<string | undefined>,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Key[]> => {
  const set = env[keysVariable]
  return set === undefined || set === '' ? fetchPublisherKey(readText) : readKeyring(set)
}

/** What gpgv says of a signature that it does not take (GnuPG, doc/DETAILS, "Format of the --status-fd output"). */
const reasonIn = (status: readonly string[]): string => {
  const found = (keyword: string): string | undefined =>
    status
      .map((line) => new RegExp(`^\\[GNUPG:\\] ${keyword} (\\S+)`).exec(line)?.[1])
      .find((word) => word !== undefined)
  const stranger = found('NO_PUBKEY')
  if (found('BADSIG') !== undefined) return 'it was made of another content'
  if (stranger !== undefined) return `it is by the key ${stranger}, which is not trusted`
  if (found('REVKEYSIG') !== undefined) return 'its key was revoked'
  if (found('NODATA') !== undefined || status.length === 0) return 'it is no signature'
  return status.at(-1)?.replace(/\.$/, '') ?? 'gpgv does not take it'
}

/**
 * Verify a detached signature (binary or armoured) of a file by one of `keys`, with gpgv(1), which reads an archive of any
 * size as a stream. Returns the fingerprint of the key, in capital hexadecimal digits. Throws `SIGNATURE_INVALID` naming
 * `label`.
 */
export const verifyDetached = async (
  path: string,
  signature: Buffer,
  options: { tools: Tools; keys: readonly Key[]; label: string; scratch: string; signal?: AbortSignal },
): Promise<string> => {
  const { tools, keys, label } = options
  await using folder = await makeScratch(options.scratch)
  const [keyring, signatureFile] = [join(folder.path, 'keys.pgp'), join(folder.path, 'archive.sig')]
  await writeFile(keyring, Buffer.concat(keys.map((key) => key.write())))
  await writeFile(signatureFile, signature)
  const command = ['gpgv', '--status-fd', '1', '--keyring', keyring, signatureFile, path]
  const { stdout } = await runTool(tools, command, {
    readOnly: [folder.path, path],
    ...(options.signal ? { signal: options.signal } : {}),
  }).catch((error: unknown) => {
    if (!(error instanceof PibakeError) || error.code !== 'COMMAND_FAILED') throw error
    throw untrusted(label, reasonIn(error.details), error)
  })
  // The last word of the line is the fingerprint of the primary key.
  const fingerprint = /^\[GNUPG:\] VALIDSIG .*\b([0-9A-F]{40,64})$/m.exec(stdout)?.[1]
  if (fingerprint === undefined || /^\[GNUPG:\] REVKEYSIG/m.test(stdout)) {
    throw untrusted(label, reasonIn(stdout.split('\n')))
  }
  return fingerprint
}
