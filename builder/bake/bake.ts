import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { layerRoot, readLayer, verifyLayer } from '../cache/layers.ts'
import { hashJson, type Sha256 } from '../core/digest.ts'
import { runStep } from '../core/event.ts'
import { type RepositoryDeb, writeImageMirror } from '../deb/repository.ts'
import { packageNameOf } from '../deb/stage-control.ts'
import { mountLayers } from '../host/mount.ts'
import { assembleImage } from '../image/assemble.ts'
import { assertClean, lintRoot } from '../image/lint.ts'
import type { PlannedStep } from '../plan/plan.ts'
import { installPackages } from '../root/apt.ts'
import { runInRoot } from '../root/root.ts'
import { assertInstalled, bakeBase, versionsOf } from './base.ts'
import { imagePath, rememberImage, rememberStep } from './history.ts'
import { bakeImageBase, mountBase } from './image-base.ts'
import { describeDebs, type Kitchen, verifyDebs } from './kitchen.ts'
import { bakeLayer, scaffoldLayer } from './layer.ts'
import { stagePackage } from './stage-package.ts'

/** Where the mirror stage looks for its packages on the image. */
const mirrorFolder = 'srv/pibake/mirror'
const mirrorStage = 'apt-mirror'

const finaliseScript = join(import.meta.dirname, 'finalise.sh')

/** What the image's table and file systems are called; from the step's key, so that equal images have equal names. */
const identityOf = (key: Sha256) => {
  const uuid = (text: string): string => {
    const hex = hashJson([key, text])
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  }
  return { diskId: hashJson([key, 'disk']).slice(0, 8), rootUuid: uuid('root'), hashSeed: uuid('hash seed') }
}

/**
 * Run the steps of a plan: what is sealed is verified and used, what is not is baked, and the image is written from the
 * merged view. Needs a mount namespace of its own and everything of the lock in the cache. Returns the image's digest.
 */
export const bakePlan = async (
  kitchen: Kitchen,
  steps: readonly PlannedStep[],
): Promise<{ path: string; sizeBytes: number; sha256: Sha256 }> => {
  const { project, profile, lock, tools, emit, signal } = kitchen
  const mounted = new AsyncDisposableStack()
  await using _ = mounted
  const scaffold = await scaffoldLayer(kitchen)
  const layers: string[] = []
  let installed = new Map<string, string>()
  const base = profile.base.kind === 'image' ? mounted.use(await mountBase(kitchen, profile.base.path)) : undefined
  if (base) {
    layers.push(base.path)
    installed = base.installed
  }
  const stagePackages: RepositoryDeb[] = []
  for (const step of steps) {
    signal.throwIfAborted()
    if (step.id === 'image') continue
    const debs = lock.steps.find(({ name }) => name === step.id)?.debs ?? []
    const entry = profile.stages.find(({ stage }) => stage.name === step.id)
    const record = await readLayer(project.cache, step.key)
    if (record) {
      await verifyLayer(tools, project.cache, record, signal)
      layers.push(layerRoot(project.cache, step.key))
      emit({ type: 'step-end', id: step.id, outcome: 'cached', durationMs: 0 })
    } else {
      const started = performance.now()
      layers.push(await runStep(emit, startOf(step), () => bakeStep(step)))
      await rememberStep(project, profile.name, step, performance.now() - started)
    }
    for (const [name, version] of versionsOf(debs)) installed.set(name, version)
    if (entry) stagePackages.push(await stagePackage(kitchen, entry))

    async function bakeStep(step: PlannedStep): Promise<string> {
      await verifyDebs(kitchen, debs)
      const described = await describeDebs(kitchen, debs)
      if (step.id === 'base' && base) return bakeImageBase(kitchen, { step, scaffold, base })
      if (step.id === 'base') return bakeBase(kitchen, { step, scaffold, debs, described })
      const lower = [scaffold, ...layers]
      const packages = { before: installed, added: versionsOf(debs) }
      if (entry) {
        const own = await stagePackage(kitchen, entry)
        return bakeLayer(kitchen, { step, lower, debs: [...described, own], packages }, async (root, onLine) => {
          // A base image may have the stage in the same version, with other files or settings.
          const reinstall = base !== undefined
          await installPackages(root, [packageNameOf(entry.stage.name)], { signal, onLine, reinstall })
          await assertInstalled(join(root.layer, 'upper'), step.id, debs)
        })
      }
      const { diskId } = identityOf(step.key)
      return bakeLayer(kitchen, { step, lower, debs: [], packages }, (root, onLine) =>
        runInRoot(root, ['bash', '/pibake/finalise.sh', diskId, profile.hostname], {
          signal,
          onLine,
          mounts: [{ source: finaliseScript, target: '/pibake/finalise.sh' }],
        }),
      )
    }
  }
  const image = steps.at(-1)
  const finalise = steps.at(-2)
  if (image === undefined || finalise === undefined) throw new Error('a plan ends with finalise and image')
  const path = imagePath(project, profile.name)
  const started = performance.now()
  const result = await runStep(emit, startOf(image), async () => {
    if (profile.stages.some(({ stage }) => stage.name === mirrorStage))
      layers.push(await layMirror(kitchen, stagePackages))
    // A view of one folder alone is no overlay; the scaffold's empty twin makes it two.
    const empty = join(kitchen.scratch, 'empty')
    await mkdir(empty)
    await using view = await mountLayers(tools, [empty, ...layers], join(kitchen.scratch, 'view'))
    assertClean((await lintRoot(view.path, { signal })).findings)
    return await assembleImage({
      tools,
      root: view.path,
      destination: path,
      ...identityOf(finalise.key),
      bootMiB: profile.image.bootMiB,
      marginMiB: profile.image.marginMiB,
      timeSeconds: kitchen.timeSeconds,
      emit,
      stepId: image.id,
      signal,
    })
  })
  await rememberStep(project, profile.name, image, performance.now() - started)
  await rememberImage(project, profile.name, { key: image.key, sha256: result.sha256 })
  return { path, ...result }
}

const startOf = ({ id, title, expectedMs }: PlannedStep) => ({
  id,
  title,
  ...(expectedMs === undefined ? {} : { expectedMs }),
})

/** Lay out the mirror of everything on the image and the profile's extra packages as one more layer. */
const layMirror = async (kitchen: Kitchen, stagePackages: readonly RepositoryDeb[]): Promise<string> => {
  const { lock, profile, scratch, timeSeconds } = kitchen
  const debs = [...lock.steps.flatMap((step) => step.debs), ...lock.extras]
  await verifyDebs(kitchen, debs)
  const root = join(scratch, 'mirror')
  await writeImageMirror({
    root,
    folder: mirrorFolder,
    debs: [...(await describeDebs(kitchen, debs)), ...stagePackages],
    architecture: profile.architecture,
    timeSeconds,
  })
  return root
}
