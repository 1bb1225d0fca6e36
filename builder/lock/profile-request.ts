import { packageNameOf } from '../deb/stage-control.ts'
import { basePackagesOf, kernelPackageOf } from '../profile/base-packages.ts'
import { alternativesOf, type ResolvedProfile } from '../profile/schema.ts'
import type { DebianRequest, PackagesFrom, ResolveStep } from './request.ts'

/** What the stages take from other suites; a suite that is the profile's own is none. */
const packagesFromOf = ({ suite, stages }: ResolvedProfile): PackagesFrom => {
  const found = new Map<string, Set<string>>()
  for (const [other, names] of stages.flatMap(({ stage }) => Object.entries(stage.packagesFrom))) {
    if (other !== suite) found.set(other, new Set([...(found.get(other) ?? []), ...names]))
  }
  return Object.fromEntries([...found].map(([other, names]) => [other, [...names].sort()]))
}

/**
 * What a profile asks of Debian, step by step as the bake installs it. `image` is what the base image says of packages, for
 * a profile that starts from one.
 */
export const profileRequest = (
  profile: ResolvedProfile,
  image: Pick<DebianRequest, 'status' | 'sources' | 'foreignArchitectures'> | undefined,
): DebianRequest => {
  const present = new Set(profile.stages.map(({ stage }) => stage.name))
  const chosen = (need: string): string[] => alternativesOf(need).filter((name) => present.has(name))
  const stages = profile.stages.map(
    ({ stage }): ResolveStep => ({
      name: stage.name,
      packages: [],
      recommends: stage.recommends,
      stagePackage: {
        name: packageNameOf(stage.name),
        depends: [...stage.packages, ...stage.needs.flatMap(chosen).map(packageNameOf)],
      },
    }),
  )
  const base: ResolveStep = {
    name: 'base',
    packages: [...basePackagesOf(profile), kernelPackageOf(profile.architecture)],
    essential: true,
  }
  return {
    suite: profile.suite,
    architecture: profile.architecture,
    steps: profile.base.kind === 'debian' ? [base, ...stages] : stages,
    extras: profile.extraPackages,
    packagesFrom: packagesFromOf(profile),
    ...image,
  }
}
