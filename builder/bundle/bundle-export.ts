import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { hashFile, type Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import { formatBytes } from '../core/size.ts'
import { explainWrite } from '../core/write-failure.ts'
import { makeScratch } from '../host/scratch.ts'
import { type BundleContent, findBundleContent } from './bundle-content.ts'
import { assertRoom, readWhole, writeBundle } from './bundle-write.ts'
import { type Manifest, profileBundle } from './profile-bundle.ts'

/** A bundle that was written. */
export interface ExportedBundle {
  path: string
  profile: string
  files: number
  sizeBytes: number
  sha256: Sha256
}

const assertFits = async ({ profile, files }: BundleContent, folder: string): Promise<void> => {
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0)
  if (sizeBytes > profileBundle.limits.totalBytes || files.length + 1 > profileBundle.limits.entries) {
    const amount = `${files.length} files, ${formatBytes(sizeBytes)}`
    throw new PibakeError(
      'CONFIG_INVALID',
      `The stages of \`${profile.name}\` are too large for a bundle: ${amount}.`,
      {
        hint: 'Give large files of a stage as artifacts with a `url` and a `sha256`; those are fetched, not carried.',
      },
    )
  }
  await assertRoom(folder, sizeBytes + 2 * profileBundle.limits.headerBytes)
}

/** Read all of a bundle once: files may have changed while it was written. */
const verifyWritten = async (path: string): Promise<void> => {
  try {
    await readWhole(path, profileBundle)
  } catch (cause) {
    if (!(cause instanceof PibakeError)) throw cause
    throw new PibakeError('CONFIG_INVALID', 'Files of the profile changed while they were exported.', {
      hint: 'Run the same command again.',
      cause,
    })
  }
}

const place = async (written: string, destination: string): Promise<void> => {
  await mkdir(dirname(destination), { recursive: true })
  const temporary = join(dirname(destination), `.${basename(destination)}.${randomUUID().slice(0, 8)}.partial`)
  try {
    await copyFile(written, temporary)
    await using file = await open(temporary, 'r+')
    await file.sync()
    await rename(temporary, destination)
  } finally {
    await rm(temporary, { force: true })
  }
}

/**
 * Write a profile with all that it consists of (see `findBundleContent`) into one asar file: files sorted by path, no
 * times and no owners, so that equal content gives equal bytes. `pibake` is the version to name in it. The file appears
 * whole, in place of one that is there, or not at all.
 */
export const exportBundle = async (options: {
  project: Project
  profile: string
  pibake: string
  destination: string
  emit: Emit
  signal: AbortSignal
}): Promise<ExportedBundle> => {
  const { project, pibake, destination, emit, signal } = options
  const content = await findBundleContent(project, options.profile)
  const { profile, files } = content
  if (profile.base.kind === 'image') {
    const message = `The bundle does not carry the image that \`${profile.name}\` starts from.`
    emit({ type: 'notice', level: 'warn', message })
  }
  await using scratch = await makeScratch(project.work)
  await assertFits(content, scratch.path)
  const manifest: Manifest = { format: profileBundle.format, profile: profile.name, pibake, files }
  const text = `${JSON.stringify(manifest, null, 2)}\n`
  const written = join(scratch.path, 'bundle.asar')
  const sources = files.map(({ path, sizeBytes, mode }) => ({
    ...{ path, sizeBytes, isExecutable: mode === '0755' },
    source: join(project.root, path),
  }))
  try {
    await writeBundle({ destination: written, manifest: text, sources, signal })
    await verifyWritten(written)
    const sha256 = await hashFile(written, { signal })
    await place(written, destination)
    const { size: sizeBytes } = await stat(destination)
    return { path: destination, profile: profile.name, files: files.length, sizeBytes, sha256 }
  } catch (error) {
    throw explainWrite(error, destination)
  }
}
