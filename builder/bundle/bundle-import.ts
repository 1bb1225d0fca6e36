import { mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { openBlobs } from '../cache/blobs.ts'
import { PibakeError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import { explainWrite } from '../core/write-failure.ts'
import { makeScratch } from '../host/scratch.ts'
import { type BundleFile, refuseBundle, showText } from './bundle.ts'
import { type Bundle, openBundle } from './bundle-open.ts'
import { applyChanges } from './import-apply.ts'
import { type Change, findChanges } from './import-changes.ts'
import { checkStaged } from './import-check.ts'
import { type Manifest, profileBundle } from './profile-bundle.ts'
import { lacking, type Offered, takeItems } from './take-items.ts'

/** What came of an import. */
export interface ImportedBundle {
  manifest: Manifest
  /** Sorted by path. */
  changes: Change[]
  /** What the bundle has for the cache, and the cache lacked. */
  items: { added: number; sizeBytes: number }
  /** Whether the checkout now holds what the bundle holds. */
  applied: boolean
  /** Why it does not although it was to. */
  failure: PibakeError | undefined
}

const stageFile = async (bundle: Bundle<Manifest>, entry: BundleFile, root: string): Promise<void> => {
  const target = join(root, entry.path)
  await mkdir(dirname(target), { recursive: true })
  await using file = await open(target, 'wx')
  for await (const chunk of bundle.read(entry)) await file.writeFile(chunk)
  await file.chmod(Number.parseInt(entry.mode, 8))
  await file.sync()
}

const differing = (changes: readonly Change[]): PibakeError | undefined => {
  const lost = changes.filter(({ state }) => state === 'differs' || state === 'extra')
  if (lost.length === 0) return undefined
  const files = lost.length === 1 ? 'one file' : `${lost.length} files`
  return new PibakeError('BUNDLE_DIFFERS', `This checkout has ${files} that the bundle would replace or remove.`, {
    hint: 'Keep what you need of them elsewhere, then let it: `--yes`. Nothing was written.',
    details: lost.map(({ path, state }) => `${state}: ${path}`),
  })
}

const offeredBy = (bundle: Bundle<Manifest>): Offered[] =>
  (bundle.manifest.cache ?? []).map((entry) => ({
    ...{ sha256: entry.sha256, sizeBytes: entry.sizeBytes, label: showText(entry.label) },
    read: () => bundle.read(entry),
  }))

/** Take what the cache lacks, or only read it to see that it is whole. Throws `BUNDLE_INVALID`, `DISK_FULL`. */
const bringItems = async (
  bundle: Bundle<Manifest>,
  { project, dryRun, emit, signal }: Pick<ImportOptions, 'project' | 'dryRun' | 'emit' | 'signal'>,
): Promise<ImportedBundle['items']> => {
  const blobs = openBlobs(project.cache)
  const wanted = await lacking(offeredBy(bundle), blobs)
  const items = { added: wanted.length, sizeBytes: wanted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) }
  if (dryRun) {
    for (const { read } of wanted) for await (const _chunk of read()) signal.throwIfAborted()
    return items
  }
  const { refused } = await takeItems(wanted, { blobs, folder: project.root, emit, signal })
  if (refused.length === 0) return items
  throw refuseBundle(bundle.file, 'has packages that are not what their digests say', {
    details: refused.map(({ label, sha256 }) => `${label} (${sha256})`),
    hint: 'Its profile was not imported; packages that are whole are in the cache now. Ask for it again where it came from.',
  })
}

interface ImportOptions {
  project: Project
  file: string
  overwrite: boolean
  dryRun: boolean
  emit: Emit
  signal: AbortSignal
}

/**
 * Bring the profile of a bundle, with all that belongs to it, into the checkout. Everything is taken out into a scratch
 * folder, checked there as a checkout of its own, and only then moved into place: all of it or nothing. Before that, what
 * it has for the cache goes there, each item if it is what its digest says. Files that would be lost need `overwrite`;
 * without it the result has a `failure`. Throws `BUNDLE_INVALID` for a bundle that is not what
 * `pibake export` makes, `BUNDLE_DIFFERS` for a symbolic link of the checkout in the way.
 */
export const importBundle = async (options: ImportOptions): Promise<ImportedBundle> => {
  const { project, file, overwrite, dryRun, signal } = options
  await using bundle = await openBundle(file, profileBundle)
  const { manifest } = bundle
  await using scratch = await makeScratch(project.work)
  const staged = join(scratch.path, 'staged')
  try {
    for (const entry of manifest.files) {
      signal.throwIfAborted()
      await stageFile(bundle, entry, staged)
    }
    await checkStaged(file, staged, manifest)
    const changes = await findChanges(project, manifest)
    const failure = overwrite || dryRun ? undefined : differing(changes)
    const applied = !dryRun && failure === undefined
    const items = failure === undefined ? await bringItems(bundle, options) : { added: 0, sizeBytes: 0 }
    const replaced = join(scratch.path, 'replaced')
    if (applied) await applyChanges({ project, changes, staged, replaced, signal })
    return { manifest, changes, items, applied, failure }
  } catch (error) {
    throw explainWrite(error, project.root)
  }
}
