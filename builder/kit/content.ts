import { basename } from 'node:path'
import { projectBlobs } from '../cache/project-blobs.ts'
import { missingError } from '../cache/verify.ts'
import type { Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import type { Project } from '../core/project.ts'
import { poolPath } from '../deb/release.ts'
import { hostArchitecture } from '../host/architecture.ts'
import { toolsSuite } from '../host/tools-packages.ts'
import { allDebs } from '../lock/debs.ts'
import { lockPath, readLock, readToolsLock, toolsLockPath } from '../lock/file.ts'
import { profileRequest } from '../lock/profile-request.ts'
import { staleLock, staleReasons } from '../lock/request.ts'
import type { Lock, LockedDeb, ToolsLock } from '../lock/schema.ts'
import { needsTwinTree } from '../lock/trees.ts'
import { listProfileNames } from '../profile/profile.ts'
import { resolveProfile } from '../profile/resolve.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import { targetNames } from '../profile/target.ts'
import type { SourceFile } from './source-file.ts'

/** A profile for one target, with the lock that fits it. */
export interface Locked {
  profile: ResolvedProfile
  lock: Lock
}

/** What a kit is made for. */
export interface KitContent {
  locked: Locked[]
  /** Locks of the tools trees that they need on a machine such as this. */
  tools: ToolsLock[]
  /** What was fetched for all of these, each once. */
  files: SourceFile[]
}

type Item = Omit<SourceFile, 'source'>

/** Where a Debian package lies on a stick. Debian's two archives are one, as their packages replace each other. */
export const debPath = (deb: LockedDeb): string =>
  poolPath(componentOf(deb), { Package: deb.name, Version: deb.version, Architecture: deb.architecture })

/** The part of the stick's apt source that a package is in: `main`, or the name of another archive than Debian's. */
export const componentOf = ({ archive }: LockedDeb): string => (archive === 'security' ? 'main' : archive)

const plainName = (text: string): string => text.replaceAll(/[^\w.+@-]/g, '_')

const debItem = (deb: LockedDeb): Item => ({
  path: debPath(deb),
  sizeBytes: deb.sizeBytes,
  sha256: deb.sha256,
  label: `${deb.name} ${deb.version}`,
})

const itemsOf = ({ profile, lock }: Locked): Item[] => [
  ...allDebs(lock).map(debItem),
  ...Object.values(lock.npm)
    .flat()
    .map(({ name, version, sha256, sizeBytes }) => ({
      path: `npm/${name.split('/').map(plainName).join('/')}-${plainName(version)}.tgz`,
      ...{ sizeBytes, sha256, label: `${name}@${version}` },
    })),
  ...Object.entries(lock.artifacts).flatMap(([stage, artifacts]) =>
    artifacts.map(({ name, sha256, sizeBytes }) => ({
      path: `artifacts/${stage}/${plainName(name)}`,
      ...{ sizeBytes, sha256, label: name },
    })),
  ),
  ...(lock.base && profile.base.kind === 'image' && profile.base.from !== 'file'
    ? [
        {
          path: `bases/${plainName(basename(lock.base.url ?? lock.base.name))}`,
          ...{ ...lock.base.archive, label: lock.base.name },
        },
      ]
    : []),
]

/** Each content once, at a path of its own even where upper and lower case are one. */
export const settle = <T extends Item>(items: readonly T[]): T[] => {
  const byDigest = new Map<Sha256, T>()
  const taken = new Set<string>()
  for (const item of items) {
    if (byDigest.has(item.sha256)) continue
    const path = taken.has(item.path.toLowerCase())
      ? item.path.replace(/([^/]+)$/, `${item.sha256.slice(0, 8)}-$1`)
      : item.path
    taken.add(path.toLowerCase())
    byDigest.set(item.sha256, { ...item, path })
  }
  return [...byDigest.values()]
}

/** The lock of a profile, when it fits; undefined when it was never locked. */
const readLocked = async (profile: ResolvedProfile, project: Project): Promise<Locked | undefined> => {
  const lock = await readLock(lockPath(project.locks, profile.output))
  if (!lock) return undefined
  // What a base image adds to the request is not looked up for this.
  const stale = profile.base.kind === 'debian' ? staleReasons(lock, profileRequest(profile, undefined)) : []
  if (stale.length > 0) throw staleLock(profile.output, stale)
  return { profile, lock }
}

const unlockable = new Set(['LOCK_STALE', 'CONFIG_INVALID'])

/** Every lock that fits of the profiles named, for any target; of a named one, that for the Pi must be there. */
const findLocked = async (project: Project, names: readonly string[]): Promise<Locked[]> => {
  const found: Locked[] = []
  const outside = names.find((name) => /[/.]/.test(name))
  if (outside !== undefined) throw notCarried(outside)
  for (const name of names.length > 0 ? names : await listProfileNames(project)) {
    for (const target of targetNames) {
      const isNeeded = names.length > 0 && target === targetNames[0]
      try {
        const locked = await readLocked(await resolveProfile(project, name, { target }), project)
        if (locked) found.push(locked)
        else if (isNeeded) throw staleLock(name, [])
      } catch (error) {
        if (isNeeded || !(error instanceof PibakeError) || !unlockable.has(error.code)) throw error
      }
    }
  }
  return found
}

const readTools = async (project: Project, locked: readonly Locked[]): Promise<ToolsLock[]> => {
  const suites = new Set([
    toolsSuite,
    ...locked.flatMap(({ profile }) => (needsTwinTree(profile) ? [profile.suite] : [])),
  ])
  const locks = await Promise.all(
    [...suites].map((suite) => readToolsLock(toolsLockPath(project.locks, suite, hostArchitecture()))),
  )
  return locks.filter((lock) => lock !== undefined)
}

/**
 * Everything fetched that the profiles need, to bake them on a machine such as this; all profiles whose locks fit and
 * whose files are in the cache when none is named, in which case `leftOut` are those that are locked and lack files. Throws
 * `MISSING_OFFLINE` listing what a named profile, or the tools, lack, `LOCK_STALE`, `UNKNOWN_NAME`.
 */
export const findContent = async (
  project: Project,
  names: readonly string[],
): Promise<KitContent & { leftOut: string[] }> => {
  const blobs = projectBlobs(project)
  const candidates = await findLocked(project, names)
  const tools = await readTools(project, candidates)
  const lacking = async (items: readonly Item[]): Promise<Item[]> => {
    const present = await Promise.all(items.map(({ sha256, sizeBytes }) => blobs.hasBlob(sha256, sizeBytes)))
    return items.filter((_, index) => !present[index])
  }
  const ofTools = tools.flatMap(({ debs }) => debs.map(debItem))
  const missing = await lacking(ofTools)
  const locked: Locked[] = []
  const leftOut: string[] = []
  for (const candidate of candidates) {
    const absent = await lacking(itemsOf(candidate))
    if (absent.length === 0) locked.push(candidate)
    else if (names.includes(candidate.profile.output)) missing.push(...absent)
    else leftOut.push(candidate.profile.output)
  }
  if (tools.length === 0) throw missingTools()
  if (missing.length > 0) throw missingError(settle(missing))
  if (locked.length === 0) throw nothingToCarry()
  const files: SourceFile[] = []
  for (const item of settle([...ofTools, ...locked.flatMap(itemsOf)])) {
    const source = await blobs.findBlob(item.sha256)
    if (source === undefined) throw missingError([item])
    files.push({ ...item, source })
  }
  return { locked, tools, files, leftOut }
}

const notCarried = (name: string): PibakeError =>
  new PibakeError('USAGE', `A kit carries profiles of the checkout, by name, and not \`${name}\`.`, {
    hint: 'Put the file into `stages/profiles/`, fetch what it needs, and name it without its ending.',
  })

const missingTools = (): PibakeError =>
  new PibakeError('MISSING_OFFLINE', 'The tools were never fetched.', {
    hint: 'Run `pibake fetch --tools` once with a network.',
  })

const nothingToCarry = (): PibakeError =>
  new PibakeError('MISSING_OFFLINE', 'No profile is locked with all that it needs in the cache.', {
    hint: 'Run `pibake fetch --profile NAME` for those that the kit is to bake.',
  })
