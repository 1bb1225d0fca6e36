import { projectBlobs } from '../cache/project-blobs.ts'
import type { Sha256 } from '../core/digest.ts'
import type { Emit } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import { makeScratch } from '../host/scratch.ts'
import { toolsSuite } from '../host/tools-packages.ts'
import { basePackages } from '../image/base.ts'
import type { Lock } from '../lock/schema.ts'
import { openTree } from '../lock/trees.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import type { TargetName } from '../profile/target.ts'
import { bakePlan } from './bake.ts'
import { openKitchen } from './kitchen.ts'
import { assertComplete, planBake } from './prepare.ts'
import { writeBakeReport } from './report.ts'
import { beginTimeline } from './timeline.ts'

const slowKernel =
  'This kernel has no private binfmt_misc (Linux 6.7 or newer has): everything runs under emulation, several times slower.'

export interface BakeOptions {
  project: Project
  /** Name or path of the profile. */
  profile: string
  target: TargetName
  /** What it starts from in place of its own base. */
  base?: string | undefined
  /** Use native twins where there are any; without them everything of the target runs under qemu. */
  twins: boolean
  emit: Emit
  signal: AbortSignal
}

export interface BakeResult {
  profile: ResolvedProfile
  lock: Lock
  image: string
  sha256: Sha256
  /** How many steps ran; 0 when nothing had changed. */
  ran: number
}

/**
 * Bake a profile for a target into `images/` (see `outputName`), from the lock and the cache alone. Runs in a network and mount namespace
 * of its own (see `host/offline.ts`). Throws `MISSING_OFFLINE`, `LOCK_STALE`, `CACHE_CORRUPT`, `STAGE_FAILED`,
 * `LINT_FAILED`, `DISK_FULL`, `INTERRUPTED`.
 */
export const bakeProfile = async (options: BakeOptions): Promise<BakeResult> => {
  const { project, twins, emit, signal } = options
  const tools = () => openTree({ project, suite: toolsSuite, emit, signal })
  const opening = { blobs: projectBlobs(project), tools, emit, signal }
  const { profile, lock, steps, image, missing } = await planBake(
    project,
    { name: options.profile, target: options.target, base: options.base },
    (base, locked, architecture) => basePackages(base, locked, { ...opening, architecture }),
  )
  if (image) return { profile, lock, image: image.path, sha256: image.sha256, ran: 0 }
  assertComplete(missing)
  const timeline = beginTimeline(emit)
  await using scratch = await makeScratch(project.work)
  const shared = { project, twins, scratch: scratch.path, emit: timeline.emit, signal }
  const kitchen = await openKitchen({ profile, lock }, shared)
  if (kitchen.emulation === 'host') emit({ type: 'notice', level: 'warn', message: slowKernel })
  const { path: imagePath, sha256 } = await bakePlan(kitchen, steps)
  const about = { image: imagePath, sha256, profile: profile.name, lock, planned: steps, timed: timeline.steps() }
  await writeBakeReport(about).catch((error: unknown) => {
    const message = `The image is whole, but its report could not be written: ${String(error)}`
    emit({ type: 'notice', level: 'warn', message })
  })
  return { profile, lock, image: imagePath, sha256, ran: steps.filter(({ action }) => action === 'run').length }
}
