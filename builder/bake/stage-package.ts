import { copyFile, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { derive } from '../cache/derived.ts'
import { hashJson } from '../core/digest.ts'
import { readControl } from '../deb/archive.ts'
import { extractNpmTree } from '../deb/npm-extract.ts'
import { buildStagePackage } from '../deb/package.ts'
import type { RepositoryDeb } from '../deb/repository.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import type { Kitchen } from './kitchen.ts'
import { stagePackageInputs } from './steps.ts'

/** The Debian package of a stage with its control stanza, built once for its content and kept in the cache. */
export const stagePackage = async (
  kitchen: Kitchen,
  entry: ResolvedProfile['stages'][number],
): Promise<RepositoryDeb> => {
  const { lock, blobs, project, scratch, timeSeconds, signal } = kitchen
  const { stage, settings } = entry
  const inputs = await stagePackageInputs(entry, lock)
  const key = hashJson(['stage package', stage.name, ...inputs.map(({ name, digest }) => `${name} ${digest}`)])
  const built = await derive(
    project.cache,
    { key, label: `the package of stage \`${stage.name}\``, signal },
    async (path) => {
      const folder = join(scratch, `package-${stage.name}`)
      await mkdir(folder)
      if (stage.npm) {
        await extractNpmTree(lock.npm[stage.name] ?? [], { blobs, destination: folder, timeSeconds, signal })
      }
      const artifacts = stage.artifacts.map(({ name, path: target, mode }) => {
        const locked = lock.artifacts[stage.name]?.find((artifact) => artifact.name === name)
        if (!locked) throw new Error(`the lock has no artifact ${name}`)
        return { path: target, sourceFile: blobs.blobPath(locked.sha256), mode }
      })
      const result = await buildStagePackage({
        stage,
        settings,
        ...(stage.npm ? { npmTree: join(folder, 'node_modules') } : {}),
        artifacts,
        timeSeconds,
        destination: folder,
        signal,
      })
      await copyFile(result.path, path)
      await rm(folder, { recursive: true })
    },
  )
  const stanza = await readControl(built.path)
  return { source: built.path, stanza: { ...stanza, Size: String(built.sizeBytes), SHA256: built.sha256 } }
}
