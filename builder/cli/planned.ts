import { type BakePlan, planBake } from '../bake/prepare.ts'
import { projectBlobs } from '../cache/project-blobs.ts'
import { PibakeError } from '../core/error.ts'
import { hostArchitecture } from '../host/architecture.ts'
import { toolsSuite } from '../host/tools-packages.ts'
import { basePackages } from '../image/base.ts'
import { readToolsLock, toolsLockPath } from '../lock/file.ts'
import { openTools } from './chosen.ts'
import type { Context } from './context.ts'

/** A profile, by name or by the path of its file, what it is to be baked for, and what it starts from if not its own base. */
type Wanted = Parameters<typeof planBake>[1]

/** What a bake of the profile would do. Throws as `planBake` does. */
export const planOf = (context: Context, wanted: Wanted): Promise<BakePlan> => {
  const { project, emit, signal } = context
  const opening = { blobs: projectBlobs(project), tools: () => openTools(context), emit, signal }
  return planBake(project, wanted, (image, locked, architecture) =>
    basePackages(image, locked, { ...opening, architecture }),
  )
}

const curedByFetch = new Set(['LOCK_STALE', 'MISSING_OFFLINE'])

/** The plan of a bake that can run from the cache as it is; undefined when something has to be fetched or locked first. */
export const planFromCache = async (context: Context, wanted: Wanted): Promise<BakePlan | undefined> => {
  const { project } = context
  try {
    const plan = await planOf(context, wanted)
    if (plan.image) return plan
    const tools = await readToolsLock(toolsLockPath(project.locks, toolsSuite, hostArchitecture()))
    return tools && plan.missing.length === 0 ? plan : undefined
  } catch (error) {
    if (error instanceof PibakeError && curedByFetch.has(error.code)) return undefined
    throw error
  }
}
