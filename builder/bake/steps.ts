import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { hashFile, hashJson, type Sha256 } from '../core/digest.ts'
import { stagePackageFormat } from '../deb/package.ts'
import { allDebs, stepDebs } from '../lock/debs.ts'
import type { Lock, LockedDeb, LockedNpm } from '../lock/schema.ts'
import type { Step } from '../plan/plan.ts'
import { stageDigest } from '../profile/content.ts'
import type { ResolvedProfile } from '../profile/schema.ts'

/** Digest of pibake's own sources in some of its folders: a change to how a step is done is a change to its result. */
const sourceDigest = async (folders: readonly string[]): Promise<Sha256> => {
  const digests: string[] = []
  for (const folder of folders) {
    const path = join(import.meta.dirname, '..', folder)
    const names = (await readdir(path)).sort()
    for (const name of names) digests.push(`${folder}/${name} ${await hashFile(join(path, name))}`)
  }
  return hashJson(digests)
}

const packagesDigest = (debs: readonly LockedDeb[]): Sha256 =>
  hashJson(debs.map(({ name, architecture, sha256 }) => `${name} ${architecture} ${sha256}`).sort())

/** What an npm tree is made of: each package's place in it with its digest, whatever their order. */
export const npmContent = (npm: readonly LockedNpm[]): string[] =>
  npm.map(({ path, sha256 }) => `${path} ${sha256}`).sort()

/** The key that stands for the package built from a stage: what it is made of, and how. */
export const stagePackageInputs = async (
  entry: ResolvedProfile['stages'][number],
  lock: Lock,
): Promise<{ name: string; digest: Sha256 }[]> => {
  const { stage, settings } = entry
  const artifacts = (lock.artifacts[stage.name] ?? []).map(({ name, sha256 }) => `${name} ${sha256}`).sort()
  const members = stage.artifacts.flatMap(({ name, member }) => (member === undefined ? [] : [`${name} ${member}`]))
  return [
    { name: 'files and settings', digest: await stageDigest(stage, settings) },
    { name: 'npm tree', digest: hashJson(npmContent(lock.npm[stage.name] ?? [])) },
    { name: 'artifacts', digest: hashJson([...artifacts, ...members]) },
    { name: 'package format', digest: hashJson([stagePackageFormat, lock.architecture, lock.time]) },
  ]
}

/**
 * The steps of a bake with everything they depend on, from content alone: no path, clock or name of this machine.
 * `baseDigest` is the digest of the base image, for a profile that starts from one.
 */
export const bakeSteps = async (
  profile: ResolvedProfile,
  lock: Lock,
  baseDigest: Sha256 | undefined,
): Promise<Step[]> => {
  const how = { name: 'pibake itself', digest: await sourceDigest(['bake', 'root', 'deb']) }
  const when = { name: 'time of the lock', digest: hashJson(lock.time) }
  const from = { name: 'base image', digest: hashJson(baseDigest ?? 'debian') }
  const base: Step = {
    id: 'base',
    title:
      profile.base.kind === 'image'
        ? `Base: ${profile.base.name}`
        : `Base: Debian ${profile.suite} for ${profile.architecture}`,
    inputs: [from, { name: 'packages', digest: packagesDigest(stepDebs(lock, 'base')) }, when, how],
  }
  const stages = await Promise.all(
    profile.stages.map(async (entry): Promise<Step> => {
      const packages = { name: 'packages', digest: packagesDigest(stepDebs(lock, entry.stage.name)) }
      return {
        id: entry.stage.name,
        title: `Stage: ${entry.stage.name}`,
        inputs: [packages, ...(await stagePackageInputs(entry, lock))],
      }
    }),
  )
  const finalise: Step = {
    id: 'finalise',
    title: 'Finalise: identity out, mirror in',
    inputs: [
      { name: 'mirror', digest: packagesDigest(allDebs(lock)) },
      { name: 'profile', digest: hashJson([profile.name, profile.hostname, profile.target]) },
    ],
  }
  const image: Step = {
    id: 'image',
    title: `Image: images/${profile.output}.img`,
    inputs: [
      { name: 'target', digest: hashJson(profile.target) },
      { name: 'size', digest: hashJson([profile.image.bootMiB, profile.image.marginMiB]) },
      { name: 'image writer', digest: await sourceDigest(['image']) },
    ],
  }
  return [base, ...stages, finalise, image]
}
