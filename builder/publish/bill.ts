import { basename } from 'node:path'
import { projectBlobs } from '../cache/project-blobs.ts'
import type { Project } from '../core/project.ts'
import type { Tools } from '../host/sandbox.ts'
import { makeScratch } from '../host/scratch.ts'
import type { Lock } from '../lock/schema.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import { type Bill, listComponents } from './components.ts'
import { readCopyrights } from './copyrights.ts'
import { readNpmLicences } from './npm-licences.ts'

/**
 * The bill of materials of a profile's image, from its lock and the packages in the cache. Throws `MISSING_OFFLINE` and
 * `CACHE_CORRUPT`, naming the packages whose licences cannot be read.
 */
export const readBill = async (options: {
  project: Project
  profile: ResolvedProfile
  lock: Lock
  pibake: string
  tools: Tools
  signal: AbortSignal
}): Promise<Bill> => {
  const { project, profile, lock, pibake, tools, signal } = options
  const blobs = projectBlobs(project)
  await using scratch = await makeScratch(project.work)
  const source = { blobs, tools, scratch: scratch.path, signal }
  const copyrights = await readCopyrights([...lock.steps.map(({ debs }) => debs), lock.extras], source)
  const npm = await readNpmLicences(Object.values(lock.npm).flat(), source)
  const { base } = profile
  const baseImage =
    base.kind === 'image' && lock.base ? { name: basename(base.name), sha256: lock.base.image.sha256 } : undefined
  const components = listComponents({ profile, lock, ...(baseImage ? { baseImage } : {}) }, { copyrights, npm })
  return { profile, lock, components, pibake }
}
