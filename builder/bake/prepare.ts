import { readLayer } from '../cache/layers.ts'
import { projectBlobs } from '../cache/project-blobs.ts'
import { missingError } from '../cache/verify.ts'
import type { Sha256 } from '../core/digest.ts'
import type { Project } from '../core/project.ts'
import { type Architecture, hostArchitecture } from '../host/architecture.ts'
import { toolsSuite } from '../host/tools-packages.ts'
import { staleBase } from '../image/base.ts'
import type { BasePackages } from '../image/status.ts'
import { allDebs } from '../lock/debs.ts'
import { lockPath, readLock, readToolsLock, toolsLockPath } from '../lock/file.ts'
import { profileRequest } from '../lock/profile-request.ts'
import { staleLock, staleReasons } from '../lock/request.ts'
import type { Lock, LockedBase, LockedDeb } from '../lock/schema.ts'
import { needsTwinTree } from '../lock/trees.ts'
import { keySteps, type PlannedStep, planSteps } from '../plan/plan.ts'
import type { ImageBase } from '../profile/base.ts'
import { resolveProfile } from '../profile/resolve.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import type { TargetName } from '../profile/target.ts'
import { currentImage, imagePath, readHistory } from './history.ts'
import { bakeSteps } from './steps.ts'

/** Something that the lock names and the cache lacks. */
export interface MissingItem {
  label: string
  sha256: Sha256
  sizeBytes: number
}

/** What a bake of a profile would do, found out without doing any of it. */
export interface BakePlan {
  profile: ResolvedProfile
  lock: Lock
  steps: PlannedStep[]
  /** The finished image when nothing has changed since it was written. */
  image: { path: string; sha256: Sha256 } | undefined
  /** What has to be fetched before any step can run; empty when nothing runs. */
  missing: MissingItem[]
}

/**
 * Plan a bake from the profile, its lock and the cache. Throws `LOCK_STALE` when the lock does not fit the profile;
 * `readBase` reads what a base image says of packages, `base` names what takes the place of the profile's own.
 */
export const planBake = async (
  project: Project,
  { name, target, base: given }: { name: string; target: TargetName; base?: string | undefined },
  readBase: (base: ImageBase, locked: LockedBase, architecture: Architecture) => Promise<BasePackages>,
): Promise<BakePlan> => {
  const profile = await resolveProfile(project, name, { target, base: given })
  const lock = await readLock(lockPath(project.locks, profile.output))
  const { base } = profile
  const staleImage = base.kind === 'image' ? await staleBase(base, lock?.base) : []
  if (staleImage.length > 0) throw staleLock(profile.output, staleImage)
  const packages =
    base.kind === 'image' && lock?.base ? await readBase(base, lock.base, profile.architecture) : undefined
  const stale = staleReasons(lock, profileRequest(profile, packages))
  if (!lock || stale.length > 0) throw staleLock(profile.output, stale)
  const baseDigest = base.kind === 'image' ? lock.base?.image.sha256 : undefined
  const keyed = keySteps(await bakeSteps(profile, lock, baseDigest))
  const image = await currentImage(project, profile.output)
  const sealed = new Set<Sha256>()
  for (const { id, key } of keyed) {
    if (id === 'image' ? image?.key === key : await readLayer(project.cache, key)) sealed.add(key)
  }
  const steps = planSteps(keyed, sealed, await readHistory(project, profile.output))
  const runs = steps.some(({ action }) => action === 'run')
  return {
    profile,
    lock,
    steps,
    image:
      image && image.key === keyed.at(-1)?.key
        ? { path: imagePath(project, profile.output), sha256: image.sha256 }
        : undefined,
    missing: runs ? await findMissing(project, profile, lock) : [],
  }
}

const debItem = ({ name, version, sha256, sizeBytes }: LockedDeb): MissingItem => ({
  label: `${name} ${version}`,
  sha256,
  sizeBytes,
})

/** Everything of the profile's locks that the cache lacks, tools included. */
const findMissing = async (project: Project, profile: ResolvedProfile, lock: Lock): Promise<MissingItem[]> => {
  const blobs = projectBlobs(project)
  const suites = needsTwinTree(profile) ? [toolsSuite, profile.suite] : [toolsSuite]
  const trees = await Promise.all(
    suites.map((suite) => readToolsLock(toolsLockPath(project.locks, suite, hostArchitecture()))),
  )
  const wanted = [
    ...trees.flatMap((tree) => tree?.debs ?? []).map(debItem),
    ...(lock.base && profile.base.kind === 'image' && profile.base.from !== 'file'
      ? [{ label: lock.base.name, ...lock.base.archive }]
      : []),
    ...allDebs(lock).map(debItem),
    ...Object.values(lock.npm)
      .flat()
      .map(({ name, version, sha256, sizeBytes }) => ({ label: `${name}@${version}`, sha256, sizeBytes })),
    ...Object.values(lock.artifacts)
      .flat()
      .map(({ name, sha256, sizeBytes }) => ({ label: name, sha256, sizeBytes })),
  ]
  const unique = [...new Map(wanted.map((item) => [item.sha256, item])).values()]
  const present = await Promise.all(unique.map(({ sha256, sizeBytes }) => blobs.hasBlob(sha256, sizeBytes)))
  return unique.filter((_, index) => !present[index])
}

/** Throw `MISSING_OFFLINE`, with every missing item and its size, unless nothing is missing. */
export const assertComplete = (missing: readonly MissingItem[]): void => {
  if (missing.length > 0) throw missingError(missing)
}
