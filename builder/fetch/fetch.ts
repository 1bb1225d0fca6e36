import { openBlobs } from '../cache/blobs.ts'
import type { Emit } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import { hostArchitecture } from '../host/architecture.ts'
import type { Tools } from '../host/sandbox.ts'
import { makeScratch } from '../host/scratch.ts'
import { toolPackages, toolsSuite, twinPackages } from '../host/tools-packages.ts'
import {
  formatLock,
  lockPath,
  readLock,
  readToolsLock,
  toolsLockPath,
  writeLock,
  writeToolsLock,
} from '../lock/file.ts'
import { profileRequest } from '../lock/profile-request.ts'
import type { Lock } from '../lock/schema.ts'
import { openToolsTree } from '../lock/tools-tree.ts'
import { needsTwinTree, treePath } from '../lock/trees.ts'
import { resolveProfile } from '../profile/resolve.ts'
import type { TargetName } from '../profile/target.ts'
import { fetchArtifacts } from './artifact.ts'
import { fetchBase } from './base.ts'
import { openDebianSource } from './debian-source.ts'
import { findMirrors } from './mirror.ts'
import { fetchNpmTrees } from './npm-trees.ts'
import { type FetchContext, fetchDebian } from './relock.ts'
import { fetchText } from './text.ts'
import { fetchTools } from './tools.ts'

export interface FetchOptions {
  project: Project
  /** Name or path of the profile; undefined fetches the tools alone. */
  profile?: string
  /** What the profile is to be baked for; the Pi when not given. */
  target?: TargetName
  /** What the profile starts from in place of its own base. */
  base?: string | undefined
  mirror?: string
  /** Fail instead of locking anything anew. */
  frozen?: boolean
  /** Take package lists whose Valid-Until has passed. */
  acceptExpired?: boolean
  /** Lock anew what the mirror has today. */
  refresh?: boolean
  emit: Emit
  signal: AbortSignal
}

/**
 * Bring everything that a bake needs into the cache, and write the locks: the tools tree, the profile's Debian packages,
 * its npm trees and its artifacts. The only part of pibake that uses the network.
 */
export const fetchAll = async (options: FetchOptions): Promise<{ lock: Lock | undefined; tools: Tools }> => {
  const { project, emit, signal } = options
  const blobs = openBlobs(project.cache)
  const context: FetchContext = {
    source: openDebianSource({ blobs, emit, signal }),
    mirrors: () =>
      findMirrors({
        ...(options.mirror === undefined ? {} : { mirror: options.mirror }),
        answers: async (url) => (await fetchText(url, { signal }).catch(() => undefined)) !== undefined,
        suite: toolsSuite,
      }),
    now: new Date(),
    frozen: options.frozen ?? false,
    refresh: options.refresh ?? false,
    acceptExpired: options.acceptExpired ?? false,
    emit,
    signal,
  }
  const profile =
    options.profile === undefined
      ? undefined
      : await resolveProfile(project, options.profile, { target: options.target, base: options.base })
  const tools = await fetchTree(options, context, toolsSuite, toolPackages)
  if (!profile) return { lock: undefined, tools }
  if (needsTwinTree(profile)) await fetchTree(options, context, profile.suite, twinPackages, tools)
  await using scratch = await makeScratch(project.work)
  const path = lockPath(project.locks, profile.output)
  const old = await readLock(path)
  const { frozen, refresh } = context
  const base =
    profile.base.kind === 'image'
      ? await fetchBase(profile.base, {
          ...{ profile, locked: old?.base, blobs, tools, scratch: scratch.path, emit, signal },
          ...{ frozen: frozen ?? false, refresh: refresh ?? false },
        })
      : undefined
  const { lock: debian } = await fetchDebian({
    ...context,
    profile: profile.output,
    request: profileRequest(profile, base?.packages),
    lock: old,
    tools: async () => tools,
    scratch: scratch.path,
  })
  const stages = profile.stages.map(({ stage }) => stage)
  const lock: Lock = {
    version: 1,
    profile: profile.name,
    ...debian,
    ...(base ? { base: base.locked } : {}),
    npm: await fetchNpmTrees(stages, old?.npm ?? {}, { architecture: profile.architecture, blobs, emit, signal }),
    artifacts: await fetchArtifacts(
      stages.filter(({ artifacts }) => artifacts.length > 0),
      { blobs, emit, signal, stepId: 'artifacts' },
    ),
  }
  if (!old || formatLock(old) !== formatLock(lock)) await writeLock(path, lock)
  return { lock, tools }
}

const fetchTree = async (
  { project, emit, signal }: FetchOptions,
  context: FetchContext,
  suite: string,
  packages: readonly string[],
  tools?: Tools,
): Promise<Tools> => {
  const architecture = hostArchitecture()
  const path = toolsLockPath(project.locks, suite, architecture)
  const old = await readToolsLock(path)
  const { lock } = await fetchTools({ ...context, request: { suite, architecture, packages }, lock: old })
  if (lock !== old) await writeToolsLock(path, lock)
  return openToolsTree({
    lock,
    destination: treePath(project, suite),
    blobs: openBlobs(project.cache),
    ...(tools ? { tools } : {}),
    emit,
    signal,
  })
}
