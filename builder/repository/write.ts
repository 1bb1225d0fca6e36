import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { hashFile } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Project } from '../core/project.ts'
import { readControl } from '../deb/archive.ts'
import type { Stanza } from '../deb/deb822.ts'
import { byHashPath, renderIndex, renderSource } from '../deb/release.ts'
import { renderRelease } from '../deb/release-file.ts'
import type { SigningKey } from '../deb/signing-key.ts'
import { component, type Merge } from './merge.ts'
import { formatRecord, type RecordedDeb, type RepositoryRecord, readRecord, recordName } from './record.ts'

/** Where the repository of a checkout is unless another place is named; `pibake serve` offers what is there. */
export const defaultRepository = ({ images }: Pick<Project, 'images'>): string => join(images, 'packages')

/** Beside the packages, for whoever uses them. */
export const keyringName = 'pibake-archive-keyring.asc'
export const sourceName = 'pibake.sources'

/** Write a file, whole or not at all. */
const place = async (path: string, fill: (partial: string) => Promise<void>): Promise<void> => {
  const partial = `${path}.${randomUUID().slice(0, 8)}.partial`
  try {
    await mkdir(dirname(path), { recursive: true })
    await fill(partial)
    await rename(partial, path)
  } catch (cause) {
    const errno = errnoOf(cause)
    if (errno === 'ENOSPC' || errno === 'EDQUOT') {
      const hint = 'Free some space there, then run the same command again.'
      throw new PibakeError('DISK_FULL', `The disk is full: \`${path}\` could not be written.`, { hint, cause })
    }
    if (errno !== 'EACCES' && errno !== 'EPERM' && errno !== 'EROFS') throw cause
    const hint = 'See whose the folder is, or name another one with `--into`.'
    throw new PibakeError('USAGE', `\`${path}\` cannot be written (${errno}).`, { hint, cause })
  } finally {
    await rm(partial, { force: true })
  }
}

const placeText = (path: string, content: string | Buffer): Promise<void> =>
  place(path, (partial) => writeFile(partial, content, { mode: 0o644, flush: true }))

/** Copy a package, for a stick has no links, and see that what arrived is what was checked. */
const placeDeb = (path: string, source: string, sha256: string): Promise<void> =>
  place(path, async (partial) => {
    await copyFile(source, partial)
    await using file = await open(partial, 'r+')
    await file.chmod(0o644).catch(() => {})
    await file.sync()
    if ((await hashFile(partial)) === sha256) return
    throw new PibakeError('CONFIG_INVALID', `\`${source}\` changed while it was copied.`, {
      hint: 'Run the same command again.',
    })
  })

const damaged = (folder: string, { file }: RecordedDeb): PibakeError =>
  new PibakeError('CONFIG_INVALID', `The repository \`${folder}\` is damaged: \`${file}\` is not what it was.`, {
    hint: 'Make it anew in another folder, from the packages themselves (`--add`).',
  })

/**
 * The repository in a folder, every file of it checked; undefined for a folder that is empty or not there. Throws
 * `USAGE` for a folder with other things in it, `CONFIG_INVALID` for a damaged repository.
 */
export const openRepository = async (folder: string, signal?: AbortSignal): Promise<RepositoryRecord | undefined> => {
  const record = await readRecord(folder)
  if (record) {
    for (const deb of record.packages) {
      const digest = await hashFile(join(folder, deb.file), signal ? { signal } : {}).catch((error: unknown) => {
        if (errnoOf(error) === 'ENOENT') return undefined
        throw error
      })
      if (digest !== deb.sha256) throw damaged(folder, deb)
    }
    return record
  }
  const names = await readdir(folder).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  if (names.length === 0) return undefined
  throw new PibakeError('USAGE', `\`${folder}\` has other things in it.`, {
    hint: 'Name an empty folder, a new one, or one that `pibake deb` has written: `--into`.',
  })
}

const stanzasOf = async (folder: string, packages: readonly RecordedDeb[]): Promise<Stanza[]> => {
  const stanzas: Stanza[] = []
  for (const { file, sizeBytes, sha256 } of packages) {
    const stanza = await readControl(join(folder, file))
    stanzas.push({ ...stanza, Filename: file, Size: String(sizeBytes), SHA256: sha256 })
  }
  return stanzas
}

/**
 * Write a repository that apt accepts: new packages into its pool, indexes, and a Release signed by `key`, in this order,
 * so that whoever reads it meanwhile sees the old one or the new one. `uri` is where apt of others finds it.
 */
export const writeRepository = async (
  folder: string,
  { record, added }: Merge,
  options: { key: SigningKey; uri: string; signal: AbortSignal },
): Promise<void> => {
  const { key, uri, signal } = options
  const { suite, timeSeconds, architectures, packages } = record
  for (const { file, deb } of added) {
    signal.throwIfAborted()
    await placeDeb(join(folder, file), deb.source, deb.sha256)
  }
  const stanzas = await stanzasOf(folder, packages)
  const files = architectures.flatMap((architecture) =>
    renderIndex(
      component,
      architecture,
      stanzas.filter((stanza) => stanza.Architecture === architecture || stanza.Architecture === 'all'),
    ),
  )
  const described = { suite, codename: suite, timeSeconds, byHash: true, architectures, components: [component] }
  const release = renderRelease({ ...described, indexes: files })
  const { inline: inRelease, detached } = await key.sign(release, timeSeconds)
  const dists = join(folder, 'dists', suite)
  for (const file of files) await placeText(join(dists, byHashPath(file)), file.bytes)
  for (const file of files) await placeText(join(dists, file.path), file.bytes)
  const source = renderSource({ uri, suite, components: [component], publicKey: key.publicKey })
  await placeText(join(folder, keyringName), key.publicKey)
  await placeText(join(folder, sourceName), source)
  await placeText(join(dists, 'Release'), release)
  await placeText(join(dists, 'Release.gpg'), detached)
  await placeText(join(dists, 'InRelease'), inRelease)
  await placeText(join(folder, recordName), formatRecord(record))
}

/** The address of a repository that lies in a folder of the same machine; apt wants no escapes in it. */
export const folderUri = (folder: string): string => `file:${resolve(folder)}`
