import { packageNameOf } from '../deb/stage-control.ts'
import { basePackagesOf, kernelPackage } from '../profile/base-packages.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import type { DebianRequest, ResolveStep } from './request.ts'

/**
 * What a profile asks of Debian, step by step as the bake installs it. `status` is the dpkg status of the base image, for
 * a profile that starts from one.
 */
export const profileRequest = (profile: ResolvedProfile, status: string | undefined): DebianRequest => {
  const stages = profile.stages.map(
    ({ stage }): ResolveStep => ({
      name: stage.name,
      packages: [],
      recommends: stage.recommends,
      stagePackage: {
        name: packageNameOf(stage.name),
        depends: [...stage.packages, ...stage.needs.map(packageNameOf)],
      },
    }),
  )
  const base: ResolveStep = {
    name: 'base',
    packages: [...basePackagesOf(profile.suite), kernelPackage],
    essential: true,
  }
  return {
    suite: profile.suite,
    architecture: profile.architecture,
    steps: profile.base.kind === 'debian' ? [base, ...stages] : stages,
    extras: profile.extraPackages,
    ...(status === undefined ? {} : { status }),
  }
}
