import { lstat } from 'node:fs/promises'
import { type PackageKitchen, stagePackage } from '../bake/stage-package.ts'
import { openBlobs } from '../cache/blobs.ts'
import { runParallel } from '../cache/parallel.ts'
import { asSha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import { nearest } from '../core/text.ts'
import { readControl } from '../deb/archive.ts'
import { makeScratch } from '../host/scratch.ts'
import { stepDebs } from '../lock/debs.ts'
import { lockPath, readLock } from '../lock/file.ts'
import { staleLock } from '../lock/request.ts'
import type { Lock } from '../lock/schema.ts'
import { resolveProfile } from '../profile/resolve.ts'
import { alternativesOf, type ResolvedProfile } from '../profile/schema.ts'
import type { TargetName } from '../profile/target.ts'
import type { IncomingDeb } from './find-debs.ts'
import { debianName, ownName } from './merge.ts'

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

/** What a user is told whose cache belongs to somebody else, as it does to root after a bake. */
const explainForeignCache = (cause: unknown, { cache }: Project): unknown => {
  if (!['EACCES', 'EPERM', 'EROFS'].includes(errnoOf(cause) ?? '')) return cause
  return new PibakeError('NOT_ROOT', `Packages cannot be built: \`${cache}\` cannot be written.`, {
    hint: 'Run the same command with `sudo`, and name your key with `--key`, for root has another one.',
    cause,
  })
}

const buildOne = (kitchen: PackageKitchen, entry: Entry, emit: Emit): Promise<IncomingDeb> => {
  const { name } = entry.stage
  return runStep(emit, { id: `deb:${name}`, title: `Package of the stage ${name}` }, async () => {
    const { source, stanza } = await stagePackage(kitchen, entry)
    const { Size: _size, SHA256 = '', ...control } = stanza
    const { size: sizeBytes } = await lstat(source)
    const built = { source, stanza: control, sizeBytes, sha256: asSha256(SHA256) }
    return { ...built, from: ownName, builtSeconds: kitchen.timeSeconds }
  })
}

/**
 * The Debian packages that the lock names for the base and for some stages: what these need on a Pi that reaches no mirror.
 */
const lockedDebs = async (
  { lock, blobs, signal }: PackageKitchen,
  entries: readonly Entry[],
): Promise<IncomingDeb[]> => {
  const names = ['base', ...entries.map(({ stage }) => stage.name)]
  const wanted = new Map(names.flatMap((name) => stepDebs(lock, name)).map((deb) => [deb.sha256, deb]))
  const labelled = [...wanted.values()].map((deb) => ({ ...deb, label: `${deb.name} ${deb.version}` }))
  await blobs.verifyBlobs(labelled, { signal })
  return runParallel(labelled, 4, async ({ sha256, sizeBytes, archive }) => {
    const source = blobs.blobPath(sha256)
    const from = archive === 'main' || archive === 'security' ? debianName : archive
    return { source, stanza: await readControl(source), sizeBytes, sha256, from, builtSeconds: 0 }
  })
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
 * from the lock and the cache alone. Throws `UNKNOWN_NAME`, `LOCK_STALE`, `MISSING_OFFLINE`, `CACHE_CORRUPT`, and
 * `NOT_ROOT` for a cache that somebody else writes.
 */
export const buildStageDebs = async (options: {
  project: Project
  profile: string
  target: TargetName
  stages: readonly string[]
  /** Also the Debian packages that they need. */
  withDebian: boolean
  emit: Emit
  signal: AbortSignal
}): Promise<StageDebs> => {
  const { project, target, stages, withDebian, emit, signal } = options
  const profile = await resolveProfile(project, options.profile, { target })
  const entries = withNeeds(profile, stages)
  const lock = await readLock(lockPath(project.locks, profile.output))
  if (!lock) throw staleLock(profile.output, ['nothing has been locked yet'])
  assertLocked(lock, entries, profile.output)
  const timeSeconds = Math.floor(Date.parse(lock.time) / 1000)
  const shared = { project, profile, lock, blobs: openBlobs(project.cache), timeSeconds, signal }
  try {
    await using scratch = await makeScratch(project.work)
    const kitchen: PackageKitchen = { ...shared, scratch: scratch.path }
    const debs: IncomingDeb[] = []
    for (const entry of entries) debs.push(await buildOne(kitchen, entry, emit))
    if (withDebian) debs.push(...(await lockedDebs(kitchen, entries)))
    return { debs, suite: profile.suite, architecture: profile.architecture, timeSeconds }
  } catch (error) {
    throw explainForeignCache(error, project)
  }
}
