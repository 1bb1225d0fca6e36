import { mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PibakeError } from '../core/error.ts'
import type { Project } from '../core/project.ts'
import { explainWrite } from '../core/write-failure.ts'
import { makeScratch } from '../host/scratch.ts'
import type { BundleFile } from './bundle.ts'
import { type Bundle, openBundle } from './bundle-open.ts'
import { applyChanges } from './import-apply.ts'
import { type Change, findChanges } from './import-changes.ts'
import { checkStaged } from './import-check.ts'
import { type Manifest, profileBundle } from './profile-bundle.ts'

/** What came of an import. */
export interface ImportedBundle {
  manifest: Manifest
  /** Sorted by path. */
  changes: Change[]
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

/**
 * Bring the profile of a bundle, with all that belongs to it, into the checkout. Everything is taken out into a scratch
 * folder, checked there as a checkout of its own, and only then moved into place: all of it or nothing. Files that would
 * be lost need `overwrite`; without it the result has a `failure`. Throws `BUNDLE_INVALID` for a bundle that is not what
 * `pibake export` makes, `BUNDLE_DIFFERS` for a symbolic link of the checkout in the way.
 */
export const importBundle = async (options: {
  project: Project
  file: string
  overwrite: boolean
  dryRun: boolean
  signal: AbortSignal
}): Promise<ImportedBundle> => {
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
    const replaced = join(scratch.path, 'replaced')
    if (applied) await applyChanges({ project, changes, staged, replaced, signal })
    return { manifest, changes, applied, failure }
  } catch (error) {
    throw explainWrite(error, project.root)
  }
}
