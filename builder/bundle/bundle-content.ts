import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { hashFile } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import type { Project } from '../core/project.ts'
import { toolsSuite } from '../host/tools-packages.ts'
import { lockPath, readLock } from '../lock/file.ts'
import { profileRequest } from '../lock/profile-request.ts'
import { staleLock, staleReasons } from '../lock/request.ts'
import { listContent } from '../profile/content.ts'
import { loadProfileChain } from '../profile/profile.ts'
import { resolveProfile } from '../profile/resolve.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import type { BundleFile } from './bundle.ts'
import { partOf, pathFault } from './bundle-path.ts'

/** What `npm install` by hand leaves in the folder of a stage, relative to it. */
export const installedByHand: ReadonlySet<string> = new Set(['npm/node_modules'])

/** What a profile consists of, to be carried elsewhere. */
export interface BundleContent {
  profile: ResolvedProfile
  /** Sorted by path. */
  files: BundleFile[]
}

const describeFile = async (project: Project, path: string): Promise<BundleFile> => {
  const fault = pathFault(path)
  if (fault !== undefined) {
    throw new PibakeError('CONFIG_INVALID', `A bundle cannot carry \`${path}\`: it ${fault}.`, {
      hint: 'Move or rename the file; a bundle carries stages, overlays, profiles and locks of the checkout.',
    })
  }
  const source = join(project.root, path)
  const stats = await lstat(source)
  if (!stats.isFile()) {
    throw new PibakeError('CONFIG_INVALID', `A bundle cannot carry \`${path}\`: it is not a plain file.`, {
      hint: 'Put a copy of the file in its place, or make the link with tmpfiles.d or in `postinst`.',
    })
  }
  const mode = (stats.mode & 0o100) === 0 ? '0644' : '0755'
  return { path, mode, sizeBytes: stats.size, sha256: await hashFile(source) }
}

const pathsBelow = async (project: Project, folder: string): Promise<string[]> =>
  (await listContent(join(project.root, folder), { skip: installedByHand })).map(({ path }) => `${folder}/${path}`)

const profilePaths = async (project: Project, profile: string): Promise<string[]> => {
  const chain = await loadProfileChain(project, profile)
  return chain.map(({ source: { file } }) => {
    if (partOf(file)?.kind === 'profile') return file
    throw new PibakeError('CONFIG_INVALID', `The profile \`${file}\` lies outside \`stages/profiles/\`.`, {
      hint: 'Move it there, so that a bundle can carry it.',
    })
  })
}

const lockPaths = async (project: Project, profile: ResolvedProfile): Promise<string[]> => {
  const lock = await readLock(lockPath(project.locks, profile.name))
  // What a base image adds to the request is not looked up for this.
  const stale = profile.base.kind === 'debian' ? staleReasons(lock, profileRequest(profile, undefined)) : []
  if (!lock || stale.length > 0) throw staleLock(profile.name, stale)
  const ofTools = [toolsSuite, profile.suite].map((suite) => `tools-${suite}-`)
  const names = (await readdir(project.locks)).filter(
    (name) => name.endsWith('.lock.json') && ofTools.some((beginning) => name.startsWith(beginning)),
  )
  return [`${profile.name}.lock.json`, ...names].map((name) => `packages-cache/locks/${name}`)
}

/**
 * Everything a profile consists of: its file and those it extends, its stages with their overlays, its lock, and the
 * locks of the tools for whatever machines there are. Throws `LOCK_STALE` when it is not locked as it stands, and
 * `CONFIG_INVALID` for what a bundle cannot carry, such as a symbolic link.
 */
export const findBundleContent = async (project: Project, name: string): Promise<BundleContent> => {
  const profile = await resolveProfile(project, name)
  const folders = profile.stages.flatMap(({ stage }) => [
    `stages/${stage.name}`,
    ...(stage.overlay === undefined ? [] : [`overlays/${stage.name}`]),
  ])
  const paths = [
    ...(await profilePaths(project, name)),
    ...(await lockPaths(project, profile)),
    ...(await Promise.all(folders.map((folder) => pathsBelow(project, folder)))).flat(),
  ]
  const files: BundleFile[] = []
  for (const path of [...new Set(paths)].sort()) files.push(await describeFile(project, path))
  return { profile, files }
}
