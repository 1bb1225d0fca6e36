import { copyFile, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { create } from 'tar'
import { derive } from '../cache/derived.ts'
import { hashJson } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { readControl } from '../deb/archive.ts'
import { extractAll, extractMember } from '../deb/member.ts'
import { extractNpmTree, npmTreeFormat } from '../deb/npm-extract.ts'
import type { Tree } from '../deb/pack-tar.ts'
import { buildStagePackage } from '../deb/package.ts'
import { readTree } from '../deb/read-tar.ts'
import type { RepositoryDeb } from '../deb/repository.ts'
import type { ArtifactFile } from '../deb/stage-tree.ts'
import type { LockedNpm } from '../lock/schema.ts'
import type { Input } from '../plan/plan.ts'
import type { ResolvedProfile, Stage } from '../profile/schema.ts'
import type { Kitchen } from './kitchen.ts'
import { npmContent, stagePackageInputs } from './steps.ts'

/** What of a kitchen a package is built with: neither tools nor a root. */
export type PackageKitchen = Pick<
  Kitchen,
  'project' | 'profile' | 'lock' | 'blobs' | 'scratch' | 'timeSeconds' | 'signal'
>

/**
 * The `node_modules` of a stage. Unpacking and pruning hundreds of tarballs takes seconds, so the result is kept in the
 * cache as one archive.
 */
const openNpmTree = async (kitchen: PackageKitchen, stage: string, npm: readonly LockedNpm[]): Promise<Tree> => {
  const { blobs, project, profile, scratch, timeSeconds, signal } = kitchen
  const { architecture } = profile
  const key = hashJson(['npm tree', npmTreeFormat, architecture, timeSeconds, npmContent(npm)])
  const label = `the npm tree of stage \`${stage}\``
  const tree = await derive(project.cache, { key, label, signal }, async (path) => {
    const destination = join(scratch, `npm-${stage}`)
    await extractNpmTree(npm, { architecture, blobs, destination, timeSeconds, signal })
    await create({ file: path, cwd: destination, portable: true }, ['node_modules'])
    await rm(destination, { recursive: true })
  })
  return readTree(tree.path)
}

/**
 * The artifacts of a stage, their content checked against the lock. What is to be taken out of an archive is laid into
 * `folder`.
 */
const openArtifacts = async (
  { lock, blobs, signal }: PackageKitchen,
  stage: Stage,
  folder: string,
): Promise<ArtifactFile[]> => {
  const files: ArtifactFile[] = []
  for (const { name, path, mode, member, unpack } of stage.artifacts) {
    const locked = lock.artifacts[stage.name]?.find((artifact) => artifact.name === name)
    if (!locked) throw new Error(`the lock has no artifact ${name}`)
    await blobs.verifyBlobs([{ ...locked, label: name }], { signal })
    const blob = blobs.blobPath(locked.sha256)
    const destination = join(folder, `artifact-${name}`)
    if (unpack) {
      const unpacked = await extractAll(blob, { label: `${stage.name}: ${name}`, destination })
      for (const { path: inside, executable } of unpacked) {
        files.push({
          path: `${path}/${inside}`,
          mode: executable ? 0o755 : 0o644,
          sourceFile: join(destination, inside),
        })
      }
      continue
    }
    if (member !== undefined) await extractMember(blob, { label: `${stage.name}: ${name}`, member, destination })
    files.push({ path, mode, sourceFile: member === undefined ? blob : destination })
  }
  return files
}

/** Throw `STAGE_CHANGED` unless a stage is still what the plan says: its key must not stand for other content. */
const assertPlanned = (stage: string, inputs: readonly Input[], planned: readonly Input[]): void => {
  const changed = inputs.find(({ name, digest }) =>
    planned.every((input) => input.name !== name || input.digest !== digest),
  )
  if (!changed) return
  throw new PibakeError(
    'STAGE_CHANGED',
    `Stage \`${stage}\` was edited while it was being baked: its ${changed.name}.`,
    {
      hint: 'Run the same command again: what was finished before is kept.',
    },
  )
}

/**
 * The Debian package of a stage with its control stanza, built once for its content and kept in the cache. `planned` is
 * what the plan of a bake read of the stage: throws `STAGE_CHANGED` when that is no longer so.
 */
export const stagePackage = async (
  kitchen: PackageKitchen,
  entry: ResolvedProfile['stages'][number],
  planned?: readonly Input[],
): Promise<RepositoryDeb> => {
  const { lock, profile, project, scratch, timeSeconds, signal } = kitchen
  const { stage, settings } = entry
  const inputs = await stagePackageInputs(entry, lock)
  if (planned) assertPlanned(stage.name, inputs, planned)
  const key = hashJson(['stage package', stage.name, ...inputs.map(({ name, digest }) => `${name} ${digest}`)])
  const label = `the package of stage \`${stage.name}\``
  const built = await derive(project.cache, { key, label, signal }, async (path) => {
    const folder = join(scratch, `package-${stage.name}`)
    await mkdir(folder)
    const npmTree = stage.npm ? await openNpmTree(kitchen, stage.name, lock.npm[stage.name] ?? []) : undefined
    const artifacts = await openArtifacts(kitchen, stage, folder)
    const result = await buildStagePackage({
      stage,
      settings,
      architecture: profile.architecture,
      ...(npmTree ? { npmTree } : {}),
      artifacts,
      timeSeconds,
      destination: folder,
      signal,
    })
    if (planned) assertPlanned(stage.name, await stagePackageInputs(entry, lock), planned)
    await copyFile(result.path, path)
    await rm(folder, { recursive: true })
  })
  const stanza = await readControl(built.path)
  return { source: built.path, stanza: { ...stanza, Size: String(built.sizeBytes), SHA256: built.sha256 } }
}
