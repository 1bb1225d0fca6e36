import { readFile, writeFile } from 'node:fs/promises'
import type { Blobs } from '../cache/blobs.ts'
import { derive } from '../cache/derived.ts'
import { hashFile, hashJson, type Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import type { Architecture } from '../host/architecture.ts'
import type { Tools } from '../host/sandbox.ts'
import type { LockedBase } from '../lock/schema.ts'
import type { ImageBase } from '../profile/base.ts'
import { readArchiveKind, unpackArchive } from './archive.ts'
import { type BasePackages, readBasePackages } from './status.ts'

/** Name of the image that an archive unpacks to, in the cache. */
export const unpackedKey = (archive: Sha256): Sha256 => hashJson(['image of an archive 1', archive])

/** Name of what an image says of packages, in the cache. */
export const packagesKey = (image: Sha256, architecture: Architecture): Sha256 =>
  hashJson(['packages of an image 1', image, architecture])

export interface OpenOptions {
  blobs: Blobs
  /** Asked only when something has to be unpacked or read. */
  tools: () => Promise<Tools>
  emit: Emit
  signal: AbortSignal
}

/** An image as a file that is not compressed; not to be changed. */
export interface ImageFile {
  path: string
  sha256: Sha256
  sizeBytes: number
}

/**
 * The image of an archive: the file itself when that is not compressed, otherwise unpacked once into the cache, sparse and
 * under the digest of the archive. Throws `IMAGE_INVALID` for a damaged archive, `DISK_FULL`, `CACHE_CORRUPT`.
 */
export const openImageFile = async (
  archive: ImageFile & { label: string },
  { blobs, tools, emit, signal }: OpenOptions,
): Promise<ImageFile> => {
  const { path, sha256, label } = archive
  const kind = await readArchiveKind(path)
  if (kind === 'image') return archive
  return derive(
    blobs.folder,
    { key: unpackedKey(sha256), label: `the image in ${label}`, signal },
    async (destination) => {
      const id = `unpack:${sha256.slice(0, 12)}`
      await runStep(emit, { id, title: `Unpack ${label}` }, async () => {
        const onProgress = (done: number, total: number): void =>
          emit({ type: 'step-progress', id, done, total, unit: 'bytes' })
        await unpackArchive(path, kind, destination, { tools: await tools(), label, onProgress, signal })
      })
    },
  )
}

/** Where the archive of a locked base is. */
const archivePath = (base: ImageBase, locked: LockedBase, blobs: Blobs): string =>
  base.from === 'file' ? base.path : blobs.blobPath(locked.archive.sha256)

/**
 * The image of a locked base, from the file that was named or from the cache, verified. Throws `MISSING_OFFLINE` when it
 * was never fetched, `LOCK_STALE` for a file that has changed, and as `openImageFile`.
 */
export const openBase = async (base: ImageBase, locked: LockedBase, options: OpenOptions): Promise<ImageFile> => {
  const { blobs, emit, signal } = options
  const { archive } = locked
  const path = archivePath(base, locked, blobs)
  if (base.from === 'file') {
    const sha256 = await hashFile(path, { signal })
    if (sha256 !== archive.sha256) throw changedBase(base.name)
  } else await blobs.verifyBlobs([{ ...archive, label: locked.name }], { emit, signal })
  const image = await openImageFile({ path, label: locked.name, ...archive }, options)
  if (image.sha256 === locked.image.sha256) return image
  throw new PibakeError('LOCK_INVALID', `The lock says that \`${base.name}\` unpacks to another image than it does.`, {
    hint: 'Run `pibake fetch --refresh` to lock it anew, and look at the difference before you commit it.',
    details: [`locked ${locked.image.sha256}`, `unpacked ${image.sha256}`],
  })
}

const changedBase = (name: string): PibakeError =>
  new PibakeError('LOCK_STALE', `The base \`${name}\` is not the file that was locked.`, {
    hint: 'Run `pibake fetch` to lock it as it is, or put the locked one back.',
  })

/** What an image says of packages, read once and kept in the cache. */
export const packagesOf = async (
  image: Sha256,
  path: () => Promise<string>,
  options: OpenOptions & { architecture: Architecture },
): Promise<BasePackages> => {
  const { blobs, tools, architecture, signal } = options
  const key = packagesKey(image, architecture)
  const packages = await derive(blobs.folder, { key, label: 'the packages of the base', signal }, async (destination) =>
    writeFile(
      destination,
      JSON.stringify(await readBasePackages(await tools(), await path(), { architecture, signal })),
    ),
  )
  return JSON.parse(await readFile(packages.path, 'utf8')) as BasePackages
}

/** What a locked base says of packages; the image is opened only when that is not in the cache. */
export const basePackages = (
  base: ImageBase,
  locked: LockedBase,
  options: OpenOptions & { architecture: Architecture },
): Promise<BasePackages> =>
  packagesOf(locked.image.sha256, async () => (await openBase(base, locked, options)).path, options)

/** Why a lock does not pin the base of a profile, one line each; empty when it does. Reads a file that was named. */
export const staleBase = async (
  base: ImageBase,
  locked: LockedBase | undefined,
  signal?: AbortSignal,
): Promise<string[]> => {
  if (!locked) return [`base: ${base.name} is not locked`]
  if (locked.name !== base.name) return [`base: it is ${base.name}, not ${locked.name}`]
  if (base.from !== 'file') return []
  await readArchiveKind(base.path)
  const sha256 = await hashFile(base.path, signal ? { signal } : {})
  return sha256 === locked.archive.sha256 ? [] : [`base: ${base.name} has changed`]
}
