import { mkdir, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { bakeProfile } from '../bake/run.ts'
import type { Sha256 } from '../core/digest.ts'
import type { Emit } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import type { TargetName } from '../profile/target.ts'

/** What a rebuild takes from the cache: packages, which the lock pins; with `cached` what was made of them as well. */
const taken = { always: ['blobs', 'integrity'], cached: ['layers', 'derived'] } as const

const linkAll = async (from: string, to: string, names: readonly string[]): Promise<void> => {
  for (const name of names) await symlink(join(from, name), join(to, name))
}

/**
 * A project in `folder`, on the cache's file system, with the stages, locks, packages and tools of another, but nothing
 * that it has baked: no layers, no derived files, no history, no images.
 */
const openTwin = async (project: Project, folder: string, cached: boolean): Promise<Project> => {
  const cache = join(folder, 'cache')
  const twin = {
    ...project,
    cache,
    images: join(folder, 'images'),
    state: join(folder, 'state'),
    work: join(cache, 'work'),
  }
  await mkdir(twin.cache)
  await mkdir(twin.state)
  const there = new Set(await readdir(project.cache))
  const wanted = [...taken.always, ...(cached ? taken.cached : [])]
  await linkAll(
    project.cache,
    twin.cache,
    wanted.filter((name) => there.has(name)),
  )
  const tools = (await readdir(project.state)).filter((name) => name.startsWith('tools-'))
  await linkAll(project.state, twin.state, tools)
  return twin
}

export interface RebuildOptions {
  project: Project
  /** Name or path of the profile. */
  profile: string
  target: TargetName
  /** An empty folder on the cache's file system. */
  folder: string
  /** Take sealed layers as they are. */
  cached: boolean
  twins: boolean
  emit: Emit
  signal: AbortSignal
}

/**
 * Bake a profile's image anew in `folder`, from its lock and the packages in the cache, beside all that is there. Throws
 * as `bakeProfile` does.
 */
export const rebuildImage = async (options: RebuildOptions): Promise<{ path: string; sha256: Sha256 }> => {
  const { folder, cached, ...rest } = options
  const project = await openTwin(options.project, folder, cached)
  const { image, sha256 } = await bakeProfile({ ...rest, project })
  return { path: image, sha256 }
}
