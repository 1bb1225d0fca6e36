import { lstat } from 'node:fs/promises'
import { type PackageKitchen, stagePackage } from '../bake/stage-package.ts'
import { openBlobs } from '../cache/blobs.ts'
import { asSha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import { nearest } from '../core/text.ts'
import { makeScratch } from '../host/scratch.ts'
import { lockPath, readLock } from '../lock/file.ts'
import { staleLock } from '../lock/request.ts'
import type { Lock } from '../lock/schema.ts'
import { resolveProfile } from '../profile/resolve.ts'
import { alternativesOf, type ResolvedProfile } from '../profile/schema.ts'
import type { TargetName } from '../profile/target.ts'
import type { IncomingDeb } from './find-debs.ts'
import { ownName } from './merge.ts'

type Entry = ResolvedProfile['stages'][number]

const unknownStage = (name: string, { name: profile, stages }: ResolvedProfile): PibakeError => {
  const names = stages.map(({ stage }) => stage.name)
  const meant = nearest(name, names)
  return new PibakeError('UNKNOWN_NAME', `The profile \`${profile}\` has no stage \`${name}\`.`, {
    hint: meant === undefined ? `It has: ${names.join(', ')}.` : `Did you mean \`${meant}\`?`,
  })
}

/** The named stages of a profile with all that they need of it, in bake order; all when none is named. */
const withNeeds = (profile: ResolvedProfile, names: readonly string[]): Entry[] => {
  if (names.length === 0) return [...profile.stages]
  const entries = new Map(profile.stages.map((entry) => [entry.stage.name, entry]))
  const wanted = new Set<string>()
  const queue = [...names]
  for (const name of names) if (!entries.has(name)) throw unknownStage(name, profile)
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const entry = entries.get(name)
    if (!entry || wanted.has(name)) continue
    wanted.add(name)
    queue.push(...entry.stage.needs.flatMap(alternativesOf))
  }
  return profile.stages.filter(({ stage }) => wanted.has(stage.name))
}

/** A package without part of its content would be built from a lock that does not have it. */
const assertLocked = (lock: Lock, entries: readonly Entry[], profile: string): void => {
  const reasons = entries.flatMap(({ stage }) => {
    const locked = new Set((lock.artifacts[stage.name] ?? []).map(({ name }) => name))
    return [
      ...(stage.npm && !lock.npm[stage.name] ? [`${stage.name}: its npm packages are not locked`] : []),
      ...stage.artifacts
        .filter(({ name }) => !locked.has(name))
        .map(({ name }) => `${stage.name}: ${name} is not locked`),
    ]
  })
  if (reasons.length > 0) throw staleLock(profile, reasons)
}

/** The packages of stages, built for one profile. */
export interface StageDebs {
  debs: IncomingDeb[]
  suite: string
  architecture: string
  timeSeconds: number
}

/**
 * Build the packages of some stages of a profile (all when none is named) and of what these need, as a bake of it would,
 * from the lock and the cache alone. Throws `UNKNOWN_NAME`, `LOCK_STALE`, `MISSING_OFFLINE`, `CACHE_CORRUPT`.
 */
export const buildStageDebs = async (options: {
  project: Project
  profile: string
  target: TargetName
  stages: readonly string[]
  emit: Emit
  signal: AbortSignal
}): Promise<StageDebs> => {
  const { project, target, stages, emit, signal } = options
  const profile = await resolveProfile(project, options.profile, { target })
  const entries = withNeeds(profile, stages)
  const lock = await readLock(lockPath(project.locks, profile.output))
  if (!lock) throw staleLock(profile.output, ['nothing has been locked yet'])
  assertLocked(lock, entries, profile.output)
  await using scratch = await makeScratch(project.work)
  const timeSeconds = Math.floor(Date.parse(lock.time) / 1000)
  const blobs = openBlobs(project.cache)
  const kitchen: PackageKitchen = { project, profile, lock, blobs, scratch: scratch.path, timeSeconds, signal }
  const debs: IncomingDeb[] = []
  for (const entry of entries) {
    const { name } = entry.stage
    await runStep(emit, { id: `deb:${name}`, title: `Package of the stage ${name}` }, async () => {
      const { source, stanza } = await stagePackage(kitchen, entry)
      const { Size: _size, SHA256 = '', ...control } = stanza
      const { size: sizeBytes } = await lstat(source)
      debs.push({
        ...{ source, stanza: control, sizeBytes, sha256: asSha256(SHA256) },
        ...{ from: ownName, builtSeconds: timeSeconds },
      })
    })
  }
  return { debs, suite: profile.suite, architecture: profile.architecture, timeSeconds }
}
