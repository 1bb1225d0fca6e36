import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hashBytes, isSha256, type Sha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { BlobInfo, Blobs } from './blobs.ts'

/**
 * The sha512 in base64 of an integrity string (Subresource Integrity: hashes of several algorithms, space-separated), or
 * undefined when it has none; weaker algorithms do not count.
 */
export const sha512Of = (integrity: string): string | undefined =>
  integrity
    .split(/\s+/)
    .map((word) => /^sha512-([A-Za-z0-9+/]{86}==)(?:\?.*)?$/.exec(word)?.[1])
    .find((digest) => digest !== undefined)

/** As `sha512Of`; throws `LOCK_INVALID` naming `label` when there is none. */
export const requireSha512 = (integrity: string, label: string): string => {
  const digest = sha512Of(integrity)
  if (digest !== undefined) return digest
  throw new PibakeError('LOCK_INVALID', `\`${label}\` has the integrity \`${integrity}\`, which is not a sha512.`, {
    hint: 'Make the lock anew with a current npm: remove `package-lock.json` and run `npm install --package-lock-only`.',
  })
}

const notePath = (blobs: Blobs, sha512: string): string =>
  join(blobs.folder, 'integrity', Buffer.from(sha512, 'base64').toString('hex'))

/** Note which blob has a sha512, so that a package is not downloaded again when its lock is made anew. */
export const noteIntegrity = async (blobs: Blobs, sha512: string, sha256: Sha256): Promise<void> => {
  const path = notePath(blobs, sha512)
  const temporary = `${path}.${randomUUID()}`
  await mkdir(join(blobs.folder, 'integrity'), { recursive: true })
  await writeFile(temporary, sha256)
  await rename(temporary, path)
}

/**
 * The blob noted for a sha512 when it is there. What the caller then locks is the sha256, so the note is believed only
 * after the blob was read and has that sha512.
 */
export const findByIntegrity = async (blobs: Blobs, sha512: string): Promise<BlobInfo | undefined> => {
  try {
    const sha256 = (await readFile(notePath(blobs, sha512), 'utf8')).trim()
    if (!isSha256(sha256)) return undefined
    const content = await readFile(blobs.blobPath(sha256))
    const right = hashBytes(content) === sha256 && createHash('sha512').update(content).digest('base64') === sha512
    return right ? { sha256, sizeBytes: content.byteLength } : undefined
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
