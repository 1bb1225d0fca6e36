import { hashBytes, hashJson, type Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import type { Lock } from './schema.ts'

/** Packages that are installed together, after those of the steps before. */
export interface ResolveStep {
  /** `base` or the name of a stage. */
  name: string
  /** Debian packages by name, or `name=version`. */
  packages: readonly string[]
  /** Install Recommends as well. */
  recommends?: boolean
  /** Also everything that Debian marks essential; for the first step of an image made from nothing. */
  essential?: boolean
  /** The package pibake builds of the stage; its dependencies are package relations as in a Depends field. */
  stagePackage?: { name: string; depends: readonly string[] }
}

/** An archive that a base image takes packages from, besides Debian's own. */
export interface ArchiveSource {
  /** What locks call it. */
  archive: string
  /** Its address, without a slash at the end. */
  uri: string
  suite: string
  components: readonly string[]
  /** The architectures that it is for; all of the image when empty. */
  architectures: readonly string[]
  /** The keys that may sign it, ASCII-armoured. */
  keys: readonly string[]
}

/** Where the packages of a base image come from. */
export interface BaseSources {
  /** Whether Debian's archives are among them. */
  debian: boolean
  others: readonly ArchiveSource[]
}

/** What a profile asks of Debian's archives. */
export interface DebianRequest {
  suite: string
  architecture: string
  /** In the order in which they are installed. */
  steps: readonly ResolveStep[]
  /** Packages for the mirror on the image only, resolved on top of all steps. */
  extras: readonly string[]
  /** Packages that are taken from another suite, by suite; nothing else of that suite is. */
  packagesFrom?: PackagesFrom
  /** The dpkg status of a base image; nothing is installed without it. */
  status?: string
  /** The archives that a base image takes its packages from; Debian's alone without it. */
  sources?: BaseSources
  /** Architectures whose packages a base image may have besides: a 64-bit kernel below 32-bit programs. */
  foreignArchitectures?: readonly string[]
}

/** Names of packages by the suite that they are taken from. */
export type PackagesFrom = Readonly<Record<string, readonly string[]>>

const sortedLists = (lists: PackagesFrom = {}): [string, string[]][] =>
  Object.entries(lists)
    .map(([suite, names]): [string, string[]] => [suite, [...names].sort()])
    .sort(([a], [b]) => (a < b ? -1 : 1))

/** Digest of a request: a lock with another one is stale. The order of the packages in a step means nothing. */
export const requestDigest = (request: DebianRequest): Sha256 =>
  hashJson({
    suite: request.suite,
    architecture: request.architecture,
    status: request.status === undefined ? null : hashBytes(request.status),
    extras: [...request.extras].sort(),
    // Left out when empty, as it was before there was such a thing, so that older locks go on to fit.
    ...(Object.keys(request.packagesFrom ?? {}).length === 0
      ? {}
      : { packagesFrom: sortedLists(request.packagesFrom) }),
    // The same holds for these. Addresses have no part in it: they may differ from machine to machine.
    ...(request.sources === undefined || request.sources.others.length === 0
      ? {}
      : {
          sources: [
            request.sources.debian,
            ...request.sources.others.map(({ archive, suite, components, architectures, keys }) => [
              ...[archive, suite],
              ...[[...components], [...architectures], [...keys]],
            ]),
          ],
        }),
    ...(request.foreignArchitectures === undefined || request.foreignArchitectures.length === 0
      ? {}
      : { foreignArchitectures: [...request.foreignArchitectures] }),
    steps: request.steps.map(({ name, packages, recommends, essential, stagePackage }) => ({
      name,
      packages: [...packages].sort(),
      recommends: recommends ?? false,
      essential: essential ?? false,
      stagePackage: stagePackage ? { name: stagePackage.name, depends: [...stagePackage.depends].sort() } : null,
    })),
  })

/** Why a lock does not answer a request, one line each; empty when it does. */
export const staleReasons = (lock: Lock | undefined, request: DebianRequest): string[] => {
  if (!lock) return ['nothing has been locked yet']
  if (lock.request === requestDigest(request)) return []
  const reasons: string[] = []
  if (lock.suite !== request.suite) reasons.push(`it is for ${lock.suite}, not ${request.suite}`)
  if (lock.architecture !== request.architecture) {
    reasons.push(`it is for ${lock.architecture}, not ${request.architecture}`)
  }
  const locked = new Map(lock.steps.map(({ name, debs }) => [name, debs]))
  const names = new Set(lock.steps.flatMap(({ debs }) => debs.map(({ name }) => name)))
  const suites = new Set(lock.indexes.map(({ suite }) => suite))
  for (const suite of Object.keys(request.packagesFrom ?? {})) {
    if (!suites.has(suite)) reasons.push(`${suite}: no packages of this suite are locked`)
  }
  for (const step of request.steps) {
    if (!locked.has(step.name)) reasons.push(`${step.name}: this stage is not locked`)
    for (const wanted of step.packages) {
      if (!names.has(wanted.replace(/[=:/].*$/, ''))) reasons.push(`${step.name}: ${wanted} is not locked`)
    }
  }
  const asked = new Set(request.steps.map(({ name }) => name))
  for (const { name } of lock.steps) if (!asked.has(name)) reasons.push(`${name}: this stage is no longer asked for`)
  const extras = new Set([...names, ...lock.extras.map(({ name }) => name)])
  for (const name of request.extras) {
    if (!extras.has(name.replace(/[=:/].*$/, ''))) reasons.push(`extraPackages: ${name} is not locked`)
  }
  return reasons.length > 0 ? reasons : ['the packages of a stage, or the order of the stages, have changed']
}

/** The error for a lock that does not answer a request where nothing may be resolved anew. */
export const staleLock = (profile: string, reasons: readonly string[]): PibakeError =>
  new PibakeError('LOCK_STALE', `The lock of \`${profile}\` does not fit what is asked for.`, {
    hint: 'Run `pibake fetch` with a network to bring it up to date, and look at the difference before you commit it.',
    details: reasons,
  })
