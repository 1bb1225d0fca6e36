import { createReadStream } from 'node:fs'
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import { type AsarStreamType, createPackageFromStreams } from '@electron/asar'
import { PibakeError } from '../core/error.ts'
import { formatBytes } from '../core/size.ts'
import { type BundleFile, type BundleKind, manifestPath } from './bundle.ts'
import { openBundle } from './bundle-open.ts'

/** A file that goes into a bundle. */
export interface BundleSource {
  /** In the bundle. */
  path: string
  /** Absolute. */
  source: string
  sizeBytes: number
  isExecutable: boolean
}

/** Throw `DISK_FULL` unless `folder` has room for so many bytes: asar never ends when a disk runs full under it. */
export const assertRoom = async (folder: string, sizeBytes: number): Promise<void> => {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize > sizeBytes) return
  throw new PibakeError('DISK_FULL', `\`${folder}\` has no room for ${formatBytes(sizeBytes)}.`, {
    hint: 'Free some space, then run the same command again.',
  })
}

const streamOf = ({ path, source, sizeBytes, isExecutable }: BundleSource): AsarStreamType => ({
  type: 'file',
  path,
  unpacked: false,
  streamGenerator: () => createReadStream(source),
  stat: { mode: isExecutable ? 0o755 : 0o644, size: sizeBytes },
})

/**
 * Write an asar with a manifest and these files, in this order, without times and owners: equal content gives equal
 * bytes. What is at `destination` after a failure is to be removed. Ends at once when `signal` fires.
 */
export const writeBundle = async (options: {
  destination: string
  manifest: string
  sources: readonly BundleSource[]
  signal: AbortSignal
}): Promise<void> => {
  const { destination, manifest, sources, signal } = options
  const manifestFolder = `${destination}.manifest`
  const manifestFile = `${manifestFolder}/${manifestPath}`
  const first = { path: manifestPath, source: manifestFile, isExecutable: false }
  const { promise, reject } = Promise.withResolvers<never>()
  const stop = (): void => reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    await mkdir(manifestFolder)
    await writeFile(manifestFile, manifest)
    const streams = [{ ...first, sizeBytes: Buffer.byteLength(manifest) }, ...sources].map(streamOf)
    await Promise.race([createPackageFromStreams(destination, streams), promise])
  } finally {
    signal.removeEventListener('abort', stop)
    await rm(manifestFolder, { recursive: true, force: true })
  }
}

/** Read all of a bundle and check it. Throws `BUNDLE_INVALID`. */
export const readWhole = async <M extends { files: readonly BundleFile[] }>(
  path: string,
  kind: BundleKind<M>,
): Promise<void> => {
  await using bundle = await openBundle(path, kind)
  for (const file of bundle.manifest.files) for await (const _chunk of bundle.read(file));
}
