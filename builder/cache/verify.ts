import { mkdir, rename, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { hashFile, type Sha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import { formatBytes } from '../core/size.ts'

/** Something that a lock or a plan expects in the cache. */
export interface Wanted {
  sha256: Sha256
  /** Undefined when only the digest is known. */
  sizeBytes: number | undefined
  /** What the user knows it as, such as `nginx 1.26.3-3+deb13u1`. */
  label: string
}

export type Verdict = 'good' | 'missing' | 'corrupt'

/** Files whose content was read and found right in this process, with what stat(2) said before that. */
const verified = new Map<string, string>()

/**
 * Read a file and say whether it is what its digest promises. A file that this process has read before is not read
 * again while its size, mtime in nanoseconds and inode are the same.
 */
export const checkContent = async (
  path: string,
  { sha256, sizeBytes }: Pick<Wanted, 'sha256' | 'sizeBytes'>,
  signal?: AbortSignal,
): Promise<Verdict> => {
  const status = await stat(path, { bigint: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (status === undefined) return 'missing'
  if (sizeBytes !== undefined && status.size !== BigInt(sizeBytes)) return 'corrupt'
  const seen = `${sha256} ${status.size} ${status.mtimeNs} ${status.ino}`
  if (verified.get(path) === seen) return 'good'
  if ((await hashFile(path, signal ? { signal } : {})) !== sha256) return 'corrupt'
  verified.set(path, seen)
  return 'good'
}

/**
 * Move a corrupt file or folder to `corrupt/` of the cache, so that the next fetch brings it anew. False when the cache
 * cannot be written.
 */
export const setAside = async (cacheFolder: string, path: string): Promise<boolean> => {
  const corruptFolder = join(cacheFolder, 'corrupt')
  try {
    await mkdir(corruptFolder, { recursive: true })
    await rename(path, join(corruptFolder, `${basename(path)}.${Date.now().toString(36)}`))
  } catch (error) {
    const code = errnoOf(error) ?? ''
    if (code === 'ENOENT') return true
    if (['EROFS', 'EACCES', 'EPERM', 'ENOSPC'].includes(code)) return false
    throw error
  }
  return true
}

const describe = ({ label, sha256, sizeBytes }: Wanted): string =>
  `${label}${sizeBytes === undefined ? '' : `, ${formatBytes(sizeBytes)}`}, sha256 ${sha256}`

/** `MISSING_OFFLINE`, listing every item with its size. */
export const missingError = (missing: readonly Wanted[]): PibakeError => {
  const [first] = missing
  const total = missing.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0)
  const sentence =
    missing.length === 1 && first
      ? `\`${first.label}\` is not in the cache.`
      : `${missing.length} items (${formatBytes(total)}) are not in the cache.`
  return new PibakeError('MISSING_OFFLINE', sentence, {
    hint: 'Run `pibake fetch` with a network, or copy the folder `packages-cache` from a machine where that was done.',
    details: missing.map(describe),
  })
}

/** `CACHE_CORRUPT`, naming every corrupt item, and those that are missing besides. */
export const corruptError = (
  corrupt: readonly (Wanted & { movedAside: boolean })[],
  missing: readonly Wanted[] = [],
): PibakeError => {
  const [first] = corrupt
  const sentence =
    corrupt.length === 1 && first
      ? `\`${first.label}\` (sha256 ${first.sha256}) is damaged in the cache: its content is not what the digest says.`
      : `${corrupt.length} items are damaged in the cache: their content is not what their digests say.`
  const hint = corrupt.every(({ movedAside }) => movedAside)
    ? 'Run `pibake fetch` to bring it anew (what was damaged is kept under `corrupt/` of the cache).'
    : 'The cache cannot be written: make it writable and run `pibake cache verify`, then `pibake fetch`.'
  return new PibakeError('CACHE_CORRUPT', sentence, {
    hint,
    details: [...corrupt.map(describe), ...missing.map((item) => `missing: ${describe(item)}`)],
  })
}
