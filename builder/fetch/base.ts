import { readFile, rm, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Blobs } from '../cache/blobs.ts'
import { dropDerived } from '../cache/derived.ts'
import { hashFile, isSha256, type Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import { formatBytes } from '../core/size.ts'
import type { Tools } from '../host/sandbox.ts'
import { readArchiveKind } from '../image/archive.ts'
import { basePackages, type ImageFile, openImageFile, packagesOf, staleBase, unpackedKey } from '../image/base.ts'
import { assertFits } from '../image/base-fit.ts'
import { checkBase } from '../image/check.ts'
import type { BasePackages } from '../image/status.ts'
import { staleLock } from '../lock/request.ts'
import type { LockedBase } from '../lock/schema.ts'
import type { ImageBase } from '../profile/base.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import { baseKeys, verifyDetached } from './base-signature.ts'
import { fetchCatalogue, findImage } from './catalogue.ts'
import { downloadAll } from './download.ts'
import { fetchText } from './text.ts'

export interface FetchBaseOptions {
  profile: Pick<ResolvedProfile, 'name' | 'suite' | 'architecture'>
  locked: LockedBase | undefined
  blobs: Blobs
  tools: Tools
  /** A folder for files that are needed meanwhile. */
  scratch: string
  frozen: boolean
  refresh: boolean
  emit: Emit
  signal: AbortSignal
}

/** What is known of an archive before it is there. */
interface Offer {
  url: string
  release: string | undefined
  archiveSha256: Sha256 | undefined
  archiveBytes: number | undefined
  image: { sha256: Sha256 | undefined; sizeBytes: number | undefined }
  imager?: LockedBase['imager']
}

/** An archive that is there. */
interface Archive extends ImageFile {
  offer: Offer | undefined
}

const corruptHint =
  'Nothing of it is used. Try again later, or name another catalogue or the address of another release.'

const gone = (name: string, url: string): PibakeError =>
  new PibakeError('NETWORK', `The image \`${name}\` is no longer at \`${url}\`.`, {
    hint: 'Run `pibake fetch --refresh` to lock what is published today, or name the address where this one is now.',
  })

/** Bring an archive into the cache. */
const download = async (
  name: string,
  offer: Pick<Offer, 'url' | 'archiveSha256' | 'archiveBytes'>,
  { blobs, emit, signal }: FetchBaseOptions,
): Promise<ImageFile> => {
  const { url, archiveSha256: sha256, archiveBytes: sizeBytes } = offer
  const id = `download:${name}`
  const size = sizeBytes === undefined ? '' : ` (${formatBytes(sizeBytes)})`
  return runStep(emit, { id, title: `Download ${basename(new URL(url).pathname)}${size}` }, async () => {
    const item = { label: name, urls: [url], sha256, sizeBytes, corruptHint }
    const { done } = await downloadAll([item], { blobs, emit, stepId: id, signal })
    const [file] = done
    if (!file) throw gone(name, url)
    return { path: blobs.blobPath(file.sha256), sha256: file.sha256, sizeBytes: file.sizeBytes }
  })
}

/** The SHA-256 that stands beside an image in a file of its name with `.sha256`, as sha256sum(1) prints it. */
const publishedDigest = async (url: string, signal: AbortSignal): Promise<Sha256 | undefined> => {
  const word = (await fetchText(`${url}.sha256`, { signal }))?.trim().split(/\s+/)[0]?.toLowerCase()
  return word !== undefined && isSha256(word) ? word : undefined
}

const findOffer = async (base: ImageBase, signal: AbortSignal): Promise<Offer> => {
  if (base.from === 'catalogue') {
    const { imageSha256, imageBytes, ...offer } = findImage(await fetchCatalogue({ signal }), base.name)
    return { ...offer, image: { sha256: imageSha256, sizeBytes: imageBytes } }
  }
  return {
    url: base.name,
    release: undefined,
    archiveSha256: await publishedDigest(base.name, signal),
    archiveBytes: undefined,
    image: { sha256: undefined, sizeBytes: undefined },
  }
}

const findArchive = async (base: ImageBase, options: FetchBaseOptions): Promise<Archive> => {
  const { signal } = options
  if (base.from !== 'file') {
    const offer = await findOffer(base, signal)
    return { ...(await download(base.name, offer, options)), offer }
  }
  const { path } = base
  // Says what is wrong with a file that cannot be read.
  await readArchiveKind(path)
  return { path, sha256: await hashFile(path, { signal }), sizeBytes: (await stat(path)).size, offer: undefined }
}

/** The detached signature that stands beside an archive; undefined when there is none. */
const findSignature = async (
  base: ImageBase,
  { offer, path }: Archive,
  { blobs, emit, signal }: FetchBaseOptions,
): Promise<Buffer | undefined> => {
  if (!offer) return readFile(`${path}.sig`).catch(() => undefined)
  const item = { label: `the signature of ${base.name}`, urls: [`${offer.url}.sig`] }
  const { done } = await downloadAll([item], { blobs, emit, stepId: `download:${base.name}`, signal })
  return done[0] && readFile(blobs.blobPath(done[0].sha256))
}

const verifyArchive = async (
  base: ImageBase,
  archive: Archive,
  options: FetchBaseOptions,
): Promise<string | undefined> => {
  const { tools, scratch, emit, signal } = options
  const signature = await findSignature(base, archive, options)
  if (signature) {
    const keys = await baseKeys((url) => fetchText(url, { signal }))
    return runStep(emit, { id: `verify:${base.name}`, title: `Verify the signature of ${base.name}` }, () =>
      verifyDetached(archive.path, signature, { tools, keys, label: base.name, scratch, signal }),
    )
  }
  if (archive.offer) {
    const message = `\`${base.name}\` comes without a signature: it is pinned as it is now.`
    emit({ type: 'notice', level: 'warn', message })
  }
  return undefined
}

const assertOffered = (name: string, image: ImageFile, offer: Offer | undefined): void => {
  const { sha256, sizeBytes } = offer?.image ?? {}
  if ((sha256 ?? image.sha256) === image.sha256 && (sizeBytes ?? image.sizeBytes) === image.sizeBytes) return
  throw new PibakeError('DOWNLOAD_CORRUPT', `\`${name}\` does not unpack to the image that the catalogue names.`, {
    hint: corruptHint,
    details: [
      `catalogue: sha256 ${sha256 ?? 'not given'}, ${sizeBytes ?? '?'} bytes`,
      `unpacked: sha256 ${image.sha256}, ${image.sizeBytes} bytes`,
    ],
  })
}

/** Tell as a notice that another image is locked than before. */
const reportChange = (before: LockedBase | undefined, after: LockedBase, emit: Emit): void => {
  if (!before || before.image.sha256 === after.image.sha256) return
  const describe = ({ name, release, image }: LockedBase): string => `${name} ${release ?? image.sha256.slice(0, 12)}`
  emit({ type: 'notice', level: 'info', message: `base: ${describe(before)} -> ${describe(after)}` })
}

const lockAnew = async (
  base: ImageBase,
  options: FetchBaseOptions,
): Promise<{ locked: LockedBase; packages: BasePackages }> => {
  const { profile, blobs, tools, scratch, signal, emit } = options
  const opening = { blobs, tools: async () => tools, emit, signal, architecture: profile.architecture }
  const archive = await findArchive(base, options)
  const { offer, path: _path, ...file } = archive
  try {
    const signedBy = await verifyArchive(base, archive, options)
    const image = await openImageFile({ ...archive, label: base.name }, opening)
    assertOffered(base.name, image, offer)
    const { path, sha256, sizeBytes } = image
    await runStep(emit, { id: `check:${base.name}`, title: `Check the file systems of ${base.name}` }, () =>
      checkBase({ tools, path, label: base.name, scratch, signal }),
    )
    await assertFits({ tools, path, label: base.name, profile, signal })
    const packages = await packagesOf(sha256, async () => path, opening)
    const locked: LockedBase = {
      name: base.name,
      ...(offer ? { url: offer.url } : {}),
      ...(offer?.release === undefined ? {} : { release: offer.release }),
      ...(signedBy === undefined ? {} : { signedBy }),
      archive: file,
      image: { sha256, sizeBytes },
      ...(offer?.imager ? { imager: offer.imager } : {}),
    }
    reportChange(options.locked, locked, emit)
    return { locked, packages }
  } catch (error) {
    // What cannot be trusted or used does not stay in the cache.
    if (error instanceof PibakeError && error.code !== 'INTERRUPTED' && error.code !== 'DISK_FULL') {
      await dropDerived(blobs.folder, unpackedKey(archive.sha256))
      if (offer) await rm(blobs.blobPath(archive.sha256), { force: true })
    }
    throw error
  }
}

/**
 * Bring the image that a profile starts from into the cache, as the lock says while that fits, otherwise found, verified,
 * checked and locked anew. Returns its part of the lock and what it says of packages. Throws `LOCK_STALE` when `frozen`,
 * `UNKNOWN_NAME`, `NETWORK`, `DOWNLOAD_CORRUPT`, `SIGNATURE_INVALID`, and `IMAGE_INVALID` for an image that cannot be a base.
 */
export const fetchBase = async (
  base: ImageBase,
  options: FetchBaseOptions,
): Promise<{ locked: LockedBase; packages: BasePackages }> => {
  const { locked, profile, frozen, refresh, blobs, tools, emit, signal } = options
  const stale = await staleBase(base, locked, signal)
  if (stale.length > 0 && frozen) throw staleLock(profile.name, stale)
  if (!locked || stale.length > 0 || refresh) return lockAnew(base, options)
  const { url, archive } = locked
  if (url !== undefined && !(await blobs.hasBlob(archive.sha256, archive.sizeBytes))) {
    await download(base.name, { url, archiveSha256: archive.sha256, archiveBytes: archive.sizeBytes }, options)
  }
  const opening = { blobs, tools: async () => tools, emit, signal, architecture: profile.architecture }
  return { locked, packages: await basePackages(base, locked, opening) }
}
