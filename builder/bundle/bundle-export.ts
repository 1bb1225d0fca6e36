import { join } from 'node:path'
import { projectBlobs } from '../cache/project-blobs.ts'
import { missingError } from '../cache/verify.ts'
import type { Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import { formatBytes } from '../core/size.ts'
import { hostArchitecture } from '../host/architecture.ts'
import { readAllLocks } from '../lock/all.ts'
import { lockPath } from '../lock/file.ts'
import { type BundleContent, findBundleContent } from './bundle-content.ts'
import { type BundleSource, writeBundle } from './bundle-write.ts'
import { type CacheItem, itemsOf, listItems, presentItems, sourcesOf } from './cache-items.ts'
import { type Manifest, profileBundle } from './profile-bundle.ts'

/** A bundle that was written. */
export interface ExportedBundle {
  path: string
  profile: string
  files: number
  /** Of the cache. */
  items: number
  sizeBytes: number
  sha256: Sha256
}

interface ExportOptions {
  project: Project
  profile: string
  /** Whether it is to carry all that its locks name, for a machine such as this. */
  packages: boolean
  pibake: string
  destination: string
  emit: Emit
  signal: AbortSignal
}

const assertCarried = ({ profile, files }: BundleContent): void => {
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0)
  if (sizeBytes <= profileBundle.limits.totalBytes && files.length < profileBundle.limits.entries) return
  const amount = `${files.length} files, ${formatBytes(sizeBytes)}`
  throw new PibakeError('CONFIG_INVALID', `The stages of \`${profile.name}\` are too large for a bundle: ${amount}.`, {
    hint: 'Give large files of a stage as artifacts with a `url` and a `sha256`; those are fetched, not carried.',
  })
}

/**
 * What the locks among the files name: for the profile, and for the tools of a machine such as this. Throws
 * `MISSING_OFFLINE` listing what the cache lacks, `CACHE_CORRUPT`.
 */
const findItems = async ({ files }: BundleContent, options: ExportOptions): Promise<CacheItem[]> => {
  const { project, emit, signal } = options
  const carried = new Set(files.map(({ path }) => join(project.root, path)))
  const locks = (await readAllLocks(project)).filter(
    (found) =>
      carried.has(lockPath(project.locks, found.file)) &&
      (found.kind === 'profile' || found.lock.architecture === hostArchitecture()),
  )
  const blobs = projectBlobs(project)
  const { present, missing } = await presentItems(itemsOf(locks), blobs)
  if (missing.length > 0) throw missingError(missing)
  const stepId = 'bundle-items'
  await runStep(emit, { id: stepId, title: `Read ${present.length} items of the cache` }, () =>
    blobs.verifyBlobs(present, { signal, emit, stepId }),
  )
  return present
}

/**
 * Write a profile with all that it consists of (see `findBundleContent`) into one asar file: files sorted by path, no
 * times and no owners, so that equal content gives equal bytes. `pibake` is the version to name in it. The file appears
 * whole, in place of one that is there, or not at all.
 */
export const exportBundle = async (options: ExportOptions): Promise<ExportedBundle> => {
  const { project, packages, pibake, destination, emit, signal } = options
  const content = await findBundleContent(project, options.profile)
  const { profile, files } = content
  assertCarried(content)
  const items = packages ? await findItems(content, options) : []
  if (profile.base.kind === 'image' && (!packages || profile.base.from === 'file')) {
    const message = `The bundle does not carry the image that \`${profile.name}\` starts from.`
    emit({ type: 'notice', level: 'warn', message })
  }
  const manifest: Manifest = {
    ...{ format: profileBundle.format, profile: profile.name, pibake, files },
    ...(packages ? { cache: listItems(items) } : {}),
  }
  const sources: BundleSource[] = files.map(({ path, sizeBytes, mode }) => ({
    ...{ path, sizeBytes, isExecutable: mode === '0755' },
    source: join(project.root, path),
  }))
  sources.push(...sourcesOf(items, projectBlobs(project)))
  const id = 'bundle'
  const written = await runStep(emit, { id, title: `Write ${destination}` }, () =>
    writeBundle({ destination, kind: profileBundle, manifest, sources, signal }),
  )
  return { path: destination, profile: profile.name, files: files.length, items: items.length, ...written }
}
