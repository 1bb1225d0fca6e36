import { availableParallelism } from 'node:os'
import { layerRoot, readLayer, verifyLayer } from '../cache/layers.ts'
import { runParallel } from '../cache/parallel.ts'
import type { Sha256 } from '../core/digest.ts'
import { runStep } from '../core/event.ts'
import type { RepositoryDeb } from '../deb/repository.ts'
import { stepDebs } from '../lock/debs.ts'
import type { PlannedStep } from '../plan/plan.ts'
import { bakeBase, versionsOf } from './base.ts'
import { bakeFinalise } from './finalise.ts'
import { imagePath, rememberImage, rememberStep } from './history.ts'
import { bakeImageBase, type MountedBase, mountBase } from './image-base.ts'
import { describeDebs, type Kitchen, verifyDebs } from './kitchen.ts'
import { scaffoldLayer } from './layer.ts'
import { bakeStage } from './stage.ts'
import { stagePackage } from './stage-package.ts'
import { noteStageVersions } from './stage-versions.ts'
import { writeImage } from './write-image.ts'

/** What the steps so far have made, and what the next one stands on. */
interface Progress {
  scaffold: string
  base: MountedBase | undefined
  /** Folders from the bottom up, without the scaffold. */
  layers: readonly string[]
  /** Name to version of what is installed. */
  installed: ReadonlyMap<string, string>
}

/** Bake one step that has no sealed layer yet; returns the layer's folder. */
const bakeStep = async (kitchen: Kitchen, step: PlannedStep, progress: Progress): Promise<string> => {
  const { profile, lock } = kitchen
  const { scaffold, base, layers, installed } = progress
  if (step.id === 'base' && base) return bakeImageBase(kitchen, { step, scaffold, base })
  const debs = stepDebs(lock, step.id)
  await verifyDebs(kitchen, debs)
  const described = await describeDebs(kitchen, debs)
  if (step.id === 'base') return bakeBase(kitchen, { step, scaffold, debs, described })
  const lower = [scaffold, ...layers]
  const packages = { before: installed, added: versionsOf(debs) }
  const entry = profile.stages.find(({ stage }) => stage.name === step.id)
  if (entry) return bakeStage(kitchen, { step, entry, lower, packages, debs, described })
  return bakeFinalise(kitchen, { step, lower, packages, base: base?.image })
}

const startOf = ({ id, title, expectedMs }: PlannedStep) => ({
  id,
  title,
  ...(expectedMs === undefined ? {} : { expectedMs }),
})

/** Check every sealed layer of the plan, several at a time. Returns the keys of those that can be built upon. */
const verifyLayers = async (kitchen: Kitchen, steps: readonly PlannedStep[]): Promise<ReadonlySet<Sha256>> => {
  const { project, tools, signal } = kitchen
  const records = await Promise.all(steps.map(({ key }) => readLayer(project.cache, key)))
  const sealed = records.filter((record) => record !== undefined)
  await runParallel(sealed, availableParallelism(), (record) => verifyLayer(tools, project.cache, record, signal))
  return new Set(sealed.map(({ key }) => key))
}

/**
 * Run the steps of a plan: what is sealed is verified and used, what is not is baked, and the image is written from the
 * merged view. Needs a mount namespace of its own and everything of the lock in the cache. Returns the image's digest.
 */
export const bakePlan = async (
  kitchen: Kitchen,
  steps: readonly PlannedStep[],
): Promise<{ path: string; sizeBytes: number; sha256: Sha256 }> => {
  const { project, profile, lock, emit, signal } = kitchen
  const image = steps.at(-1)
  const finalise = steps.at(-2)
  if (image === undefined || finalise === undefined) throw new Error('a plan ends with finalise and image')
  const timed = async <T>(step: PlannedStep, work: () => Promise<T>): Promise<T> => {
    const startedAt = performance.now()
    const result = await runStep(emit, startOf(step), work)
    await rememberStep(project, profile.output, step, performance.now() - startedAt)
    return result
  }

  await using mounted = new AsyncDisposableStack()
  const base =
    profile.base.kind === 'image' && lock.base
      ? mounted.use(await mountBase(kitchen, profile.base, lock.base))
      : undefined
  const sealed = await verifyLayers(kitchen, steps.slice(0, -1))
  const scaffold = await scaffoldLayer(kitchen)
  const layers = base ? [base.path] : []
  const installed = new Map(base?.installed)
  for (const step of steps.slice(0, -1)) {
    signal.throwIfAborted()
    if (sealed.has(step.key)) {
      layers.push(layerRoot(project.cache, step.key))
      emit({ type: 'step-end', id: step.id, outcome: 'cached', durationMs: 0 })
    } else {
      layers.push(await timed(step, () => bakeStep(kitchen, step, { scaffold, base, layers, installed })))
    }
    for (const [name, version] of versionsOf(stepDebs(lock, step.id))) installed.set(name, version)
  }

  const path = imagePath(project, profile.output)
  const result = await timed(image, async () => {
    const stagePackages: RepositoryDeb[] = []
    for (const entry of profile.stages) {
      const planned = steps.find(({ id }) => id === entry.stage.name)?.inputs ?? []
      stagePackages.push(await stagePackage(kitchen, entry, planned))
    }
    return writeImage(kitchen, {
      stepId: image.id,
      finaliseKey: finalise.key,
      base: base?.image,
      layers,
      stagePackages,
      destination: path,
    })
  })
  await rememberImage(project, profile.output, { key: image.key, sha256: result.sha256 })
  await noteStageVersions(kitchen)
  return { path, ...result }
}
