import { createReadStream } from 'node:fs'
import { statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type AsarStreamType, createPackageFromStreams } from '@electron/asar'
import type { Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { formatBytes } from '../core/size.ts'
import { explainWrite } from '../core/write-failure.ts'
import { fatType, largestOnFat } from '../host/file-system.ts'
import { writeWhole } from '../host/replace.ts'
import { type BundleKind, type Listing, manifestPath } from './bundle.ts'
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

const streamOf = ({ path, source, sizeBytes, isExecutable }: BundleSource): AsarStreamType => ({
  type: 'file',
  path,
  unpacked: false,
  streamGenerator: () => createReadStream(source),
  stat: { mode: isExecutable ? 0o755 : 0o644, size: sizeBytes },
})

/** Throw `DISK_FULL` or `USAGE` unless a file of so many bytes fits: asar never ends when a disk runs full under it. */
const assertFits = async (folder: string, sizeBytes: number): Promise<void> => {
  const { bavail, bsize, type } = await statfs(folder)
  if (bavail * bsize <= sizeBytes) {
    throw new PibakeError('DISK_FULL', `\`${folder}\` has no room for ${formatBytes(sizeBytes)}.`, {
      hint: 'Free some space, then run the same command again.',
    })
  }
  if (sizeBytes <= largestOnFat || type !== fatType) return
  throw new PibakeError('USAGE', `\`${folder}\` takes no file of ${formatBytes(sizeBytes)}: it is FAT32.`, {
    hint: 'A folder takes packages one by one: `pibake cache export FOLDER`.',
  })
}

/** Write an asar of these files, in this order, without times and owners. Ends at once when `signal` fires. */
const writeAsar = async (path: string, sources: readonly BundleSource[], signal: AbortSignal): Promise<void> => {
  const { promise, reject } = Promise.withResolvers<never>()
  const stop = (): void => reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    await Promise.race([createPackageFromStreams(path, sources.map(streamOf)), promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Read all of a bundle: files may have changed while it was written. */
const readAll = async <M extends Listing>(path: string, kind: BundleKind<M>, signal: AbortSignal): Promise<void> => {
  try {
    await using bundle = await openBundle(path, kind)
    const { files, cache = [] } = bundle.manifest
    for (const file of [...files, ...cache]) {
      for await (const _chunk of bundle.read(file)) signal.throwIfAborted()
    }
  } catch (cause) {
    if (!(cause instanceof PibakeError) || cause.code !== 'BUNDLE_INVALID') throw cause
    throw new PibakeError('CONFIG_INVALID', 'Files changed while they were exported.', {
      hint: 'Run the same command again.',
      cause,
    })
  }
}

/**
 * Write a bundle with the files that its manifest lists, from `sources`: equal content gives equal bytes. It is read once
 * as a whole and appears in place of one that is there, or not at all. Throws `CONFIG_INVALID` when a file changed
 * meanwhile, `DISK_FULL`, `USAGE`.
 */
export const writeBundle = async <M extends Listing>(options: {
  destination: string
  kind: BundleKind<M>
  manifest: M
  sources: readonly BundleSource[]
  signal: AbortSignal
}): Promise<{ sizeBytes: number; sha256: Sha256 }> => {
  const { destination, kind, manifest, sources, signal } = options
  const text = `${JSON.stringify(manifest, null, 2)}\n`
  const write = async (partial: string): Promise<void> => {
    const folder = dirname(partial)
    const listed = join(folder, manifestPath)
    await writeFile(listed, text)
    const sizeBytes = Buffer.byteLength(text)
    const all = [{ path: manifestPath, source: listed, sizeBytes, isExecutable: false }, ...sources]
    // The header says of each file about as much as the manifest does.
    await assertFits(folder, all.reduce((sum, source) => sum + source.sizeBytes, 0) + 2 * sizeBytes)
    await writeAsar(partial, all, signal)
    await readAll(partial, kind, signal)
  }
  try {
    return await writeWhole(destination, write, { signal })
  } catch (error) {
    throw explainWrite(error, destination)
  }
}
