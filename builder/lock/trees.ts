import { join } from 'node:path'
import { projectBlobs } from '../cache/project-blobs.ts'
import { PibakeError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import { hostArchitecture } from '../host/architecture.ts'
import type { Tools } from '../host/sandbox.ts'
import { toolsSuite } from '../host/tools-packages.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import { readToolsLock, toolsLockPath } from './file.ts'
import { openToolsTree } from './tools-tree.ts'

/** Where the tree of a suite is unpacked on this machine. */
export const treePath = (project: Project, suite: string): string =>
  join(project.state, `tools-${suite}-${hostArchitecture()}`)

/** Whether the native twins of a profile come from a tree of their own rather than from the tools tree. */
export const needsTwinTree = ({ suite, architecture }: Pick<ResolvedProfile, 'suite' | 'architecture'>): boolean =>
  suite !== toolsSuite && architecture !== hostArchitecture()

/**
 * The tree of a suite, from the lock and the cache alone: see `openToolsTree`. Throws `MISSING_OFFLINE` when it was never fetched, `CACHE_CORRUPT` for a damaged package.
 */
export const openTree = async (options: {
  project: Project
  suite: string
  tools?: Tools
  emit: Emit
  signal: AbortSignal
}): Promise<Tools> => {
  const { project, suite, emit, signal } = options
  const lock = await readToolsLock(toolsLockPath(project.locks, suite, hostArchitecture()))
  if (!lock) {
    throw new PibakeError('MISSING_OFFLINE', `The tools of ${suite} were never fetched.`, {
      hint: 'Run `pibake fetch` once with a network.',
    })
  }
  return openToolsTree({
    lock,
    destination: treePath(project, suite),
    blobs: projectBlobs(project),
    ...(options.tools ? { tools: options.tools } : {}),
    emit,
    signal,
  })
}
