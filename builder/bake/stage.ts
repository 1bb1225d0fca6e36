import { join } from 'node:path'
import type { RepositoryDeb } from '../deb/repository.ts'
import { packageNameOf } from '../deb/stage-control.ts'
import type { LockedDeb } from '../lock/schema.ts'
import type { KeyedStep } from '../plan/plan.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import { installPackages } from '../root/apt.ts'
import type { TargetPackages } from '../root/twins.ts'
import { assertInstalled } from './base.ts'
import type { Kitchen } from './kitchen.ts'
import { bakeLayer } from './layer.ts'
import { stagePackage } from './stage-package.ts'

/** Bake a stage: its package and the Debian packages that the lock names for it, installed with apt in one go. */
export const bakeStage = async (
  kitchen: Kitchen,
  options: {
    step: KeyedStep
    entry: ResolvedProfile['stages'][number]
    lower: readonly string[]
    packages: TargetPackages
    debs: readonly LockedDeb[]
    described: readonly RepositoryDeb[]
  },
): Promise<string> => {
  const { step, entry, lower, packages, debs, described } = options
  const own = await stagePackage(kitchen, entry, step.inputs)
  return bakeLayer(kitchen, { step, lower, debs: [...described, own], packages }, async (root, onLine) => {
    // A base image may have the stage in the same version, with other files or settings.
    const reinstall = kitchen.profile.base.kind === 'image'
    await installPackages(root, [packageNameOf(entry.stage.name)], { signal: kitchen.signal, onLine, reinstall })
    await assertInstalled(join(root.layer, 'upper'), step.id, debs)
  })
}
