import { copyFile, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { create } from 'tar'
import { derive } from '../cache/derived.ts'
import { hashJson } from '../core/digest.ts'
import { readControl } from '../deb/archive.ts'
import { extractNpmTree, npmTreeFormat } from '../deb/npm-extract.ts'
import type { Tree } from '../deb/pack-tar.ts'
import { buildStagePackage } from '../deb/package.ts'
import { readTree } from '../deb/read-tar.ts'
import type { RepositoryDeb } from '../deb/repository.ts'
import type { LockedNpm } from '../lock/schema.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import type { Kitchen } from './kitchen.ts'
import { npmContent, stagePackageInputs } from './steps.ts'

/**
 * The `node_modules` of a stage. Unpacking and pruning hundreds of tarballs takes seconds, so the result is kept in the
 * cache as one archive.
 */
const openNpmTree = async (kitchen: Kitchen, stage: string, npm: readonly LockedNpm[]): Promise<Tree> => {
  const { blobs, project, scratch, timeSeconds, signal } = kitchen
  const key = hashJson(['npm tree', npmTreeFormat, timeSeconds, npmContent(npm)])
  const label = `the npm tree of stage \`${stage}\``
  const tree = await derive(project.cache, { key, label, signal }, async (path) => {
    const destination = join(scratch, `npm-${stage}`)
    await extractNpmTree(npm, { blobs, destination, timeSeconds, signal })
    await create({ file: path, cwd: destination, portable: true }, ['node_modules'])
    await rm(destination, { recursive: true })
  })
  return readTree(tree.path)
}

/** The Debian package of a stage with its control stanza, built once for its content and kept in the cache. */
export const stagePackage = async (
  kitchen: Kitchen,
  entry: ResolvedProfile['stages'][number],
): Promise<RepositoryDeb> => {
  const { lock, blobs, project, scratch, timeSeconds, signal } = kitchen
  const { stage, settings } = entry
  const inputs = await stagePackageInputs(entry, lock)
  const key = hashJson(['stage package', stage.name, ...inputs.map(({ name, digest }) => `${name} ${digest}`)])
  const label = `the package of stage \`${stage.name}\``
  const built = await derive(project.cache, { key, label, signal }, async (path) => {
    const folder = join(scratch, `package-${stage.name}`)
    await mkdir(folder)
    const npmTree = stage.npm ? await openNpmTree(kitchen, stage.name, lock.npm[stage.name] ?? []) : undefined
    const artifacts = stage.artifacts.map(({ name, path: target, mode }) => {
      const locked = lock.artifacts[stage.name]?.find((artifact) => artifact.name === name)
      if (!locked) throw new Error(`the lock has no artifact ${name}`)
      return { name, path: target, sourceFile: blobs.blobPath(locked.sha256), mode, locked }
    })
    await blobs.verifyBlobs(
      artifacts.map(({ name, locked }) => ({ ...locked, label: name })),
      { signal },
    )
    const result = await buildStagePackage({
      stage,
      settings,
      ...(npmTree ? { npmTree } : {}),
      artifacts,
      timeSeconds,
      destination: folder,
      signal,
    })
    await copyFile(result.path, path)
    await rm(folder, { recursive: true })
  })
  const stanza = await readControl(built.path)
  return { source: built.path, stanza: { ...stanza, Size: String(built.sizeBytes), SHA256: built.sha256 } }
}
