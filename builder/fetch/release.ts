import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Key, type KeyID, readCleartextMessage, readKey, verify } from 'openpgp'
import { asSha256, hashBytes, isSha256, type Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { parseStanza } from '../deb/deb822.ts'

/** The two archives Debian publishes packages in; each has signing keys of its own. */
export type ArchiveName = 'main' | 'security'

/** A signed index of a suite, after its signature has been verified. */
export interface Release {
  /** `main` and `security` are Debian's. */
  archive: string
  /** The name it was asked by: `trixie`, `trixie-updates`, `trixie-security`. */
  name: string
  /** `stable`, `testing-security` … */
  suite: string
  codename: string
  date: Date
  validUntil: Date | undefined
  /** Index files may be fetched by their digest, which cannot race with a mirror being updated. */
  byHash: boolean
  /** Size and digest of each index file by its path below `dists/<name>/`. */
  files: ReadonlyMap<string, { sizeBytes: number; sha256: Sha256 }>
  /** Digest of the InRelease file itself. */
  sha256: Sha256
}

const keysFolder = join(import.meta.dirname, 'keys')

/** Debian's public keys that may sign `archive`, ASCII-armoured, as shipped with pibake. */
export const readArmouredKeys = async (archive: ArchiveName): Promise<string[]> => {
  const names = (await readdir(keysFolder)).filter((name) => name.startsWith(`${archive}-`) && name.endsWith('.asc'))
  return Promise.all(names.sort().map((name) => readFile(join(keysFolder, name), 'utf8')))
}

/** The same keys, read. They carry their own expiry. */
export const readArchiveKeys = async (archive: ArchiveName): Promise<Key[]> =>
  Promise.all((await readArmouredKeys(archive)).map((armoredKey) => readKey({ armoredKey })))

const invalid = (name: string, reason: string, options: { hint?: string; cause?: unknown } = {}): PibakeError =>
  new PibakeError('SIGNATURE_INVALID', `The index of \`${name}\` cannot be trusted: ${reason}.`, {
    hint: options.hint ?? 'Try another mirror with `--mirror`; a proxy or a captive portal may have changed the file.',
    ...(options.cause === undefined ? {} : { cause: options.cause }),
  })

/**
 * Verify a clearsigned InRelease file and read it. One good signature by a key of `keys` is enough, as for apt: Debian
 * signs with the keys of two releases. `now` is the time that signatures, keys and Valid-Until are held against.
 * Throws `SIGNATURE_INVALID` naming the suite. Format: https://wiki.debian.org/DebianRepository/Format
 */
export const verifyRelease = async (
  inRelease: string,
  options: { archive: string; name: string; keys: readonly Key[]; now: Date; acceptExpired?: boolean },
): Promise<Release> => {
  const text = await verifiedText(inRelease, options)
  const release = parseRelease(text, { ...options, sha256: hashBytes(inRelease) })
  if (release.codename !== options.name && release.suite !== options.name) {
    throw invalid(options.name, `it belongs to \`${release.codename}\``)
  }
  if (release.validUntil && release.validUntil < options.now && options.acceptExpired !== true) {
    throw invalid(options.name, `it was valid until ${release.validUntil.toISOString()}`, {
      hint: 'Check the clock of this machine, or name a mirror that is up to date (`--mirror`); `pibake fetch --accept-expired` takes it as it is.',
    })
  }
  return release
}

const verifiedText = async (
  inRelease: string,
  { name, keys, now }: { name: string; keys: readonly Key[]; now: Date },
): Promise<string> => {
  const message = await readCleartextMessage({ cleartextMessage: inRelease }).catch((cause: unknown) => {
    throw invalid(name, 'it is not a signed message', { cause })
  })
  const { data, signatures } = await verify({ message, verificationKeys: [...keys], date: now })
  const reasons: string[] = []
  for (const signature of signatures) {
    try {
      await signature.verified
      await requireLiveKey(signature.keyID, keys, now)
      return data
    } catch (error) {
      reasons.push(`${signature.keyID.toHex()}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw invalid(name, reasons.length === 0 ? 'nobody has signed it' : `no good signature (${reasons.join('; ')})`)
}

/**
 * A signature from before its key expired stays good for OpenPGP. An archive is signed anew all the time, so here the
 * key has to be alive now, as it has to be for apt.
 */
const requireLiveKey = async (keyId: KeyID, keys: readonly Key[], now: Date): Promise<void> => {
  const key = keys.find((candidate) => candidate.getKeys(keyId).length > 0)
  if (!key) throw new Error('the key is not trusted')
  await key.getSigningKey(keyId, now)
}

const parseRelease = (text: string, options: { archive: string; name: string; sha256: Sha256 }): Release => {
  const stanza = parseStanza(text)
  const date = readDate(stanza.Date)
  const codename = stanza.Codename ?? stanza.Suite
  if (date === undefined || codename === undefined) throw invalid(options.name, 'it names no date or no codename')
  const files = new Map<string, { sizeBytes: number; sha256: Sha256 }>()
  for (const line of (stanza.SHA256 ?? '').split('\n')) {
    const [sha256, size, path] = line.trim().split(/\s+/)
    if (sha256 === undefined || size === undefined || path === undefined || !isSha256(sha256)) continue
    files.set(path, { sizeBytes: Number(size), sha256: asSha256(sha256) })
  }
  return {
    archive: options.archive,
    name: options.name,
    suite: stanza.Suite ?? codename,
    codename,
    date,
    validUntil: readDate(stanza['Valid-Until']),
    byHash: stanza['Acquire-By-Hash'] === 'yes',
    files,
    sha256: options.sha256,
  }
}

const readDate = (text: string | undefined): Date | undefined => {
  const date = text === undefined ? undefined : new Date(text)
  return date === undefined || Number.isNaN(date.getTime()) ? undefined : date
}
