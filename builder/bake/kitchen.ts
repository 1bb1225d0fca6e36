import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Blobs } from '../cache/blobs.ts'
import { derive } from '../cache/derived.ts'
import { projectBlobs } from '../cache/project-blobs.ts'
import { hashJson } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import { debFileName, type RepositoryDeb, scanPackages, stanzasByFile } from '../deb/repository.ts'
import { hostArchitecture } from '../host/architecture.ts'
import { assertSound, type Emulation, findEmulation } from '../host/emulation.ts'
import type { Tools } from '../host/sandbox.ts'
import { toolsSuite } from '../host/tools-packages.ts'
import { allDebs } from '../lock/debs.ts'
import type { Lock, LockedDeb } from '../lock/schema.ts'
import { needsTwinTree, openTree } from '../lock/trees.ts'
import type { ResolvedProfile } from '../profile/schema.ts'

/** Everything that the steps of one bake share. */
export interface Kitchen {
  project: Project
  profile: ResolvedProfile
  lock: Lock
  blobs: Blobs
  tools: Tools
  /** How programs of the target are started; undefined where the host runs them itself. */
  emulation: Emulation | undefined
  /** The tree that native twins come from; undefined bakes under qemu alone. */
  native: Tools | undefined
  /** Folder for this run's intermediate files, on the cache's file system. */
  scratch: string
  /** The lock's time in seconds since 1970. */
  timeSeconds: number
  emit: Emit
  signal: AbortSignal
}

/** Nothing here starts programs for x86: the dispatcher and qemu-user are set up for ARM alone. */
const needsX86 = ({ target }: ResolvedProfile): PibakeError =>
  new PibakeError('HOST_UNSUPPORTED', `An image for \`${target}\` can only be baked on an x86 machine.`, {
    hint: 'Bake it there, or bake for `vm-arm64` here.',
  })

/**
 * Set up what the steps of one bake share: the trees are verified, or unpacked from the cache. Without `twins`
 * everything of the target runs under qemu. `scratch` must be this bake's own. Throws `MISSING_OFFLINE`, `CACHE_CORRUPT`, `HOST_UNSUPPORTED`.
 */
export const openKitchen = async (
  { profile, lock }: { profile: ResolvedProfile; lock: Lock },
  options: { project: Project; twins: boolean; scratch: string; emit: Emit; signal: AbortSignal },
): Promise<Kitchen> => {
  const { twins, ...shared } = options
  const { project, scratch, emit, signal } = shared
  const tools = await openTree({ project, suite: toolsSuite, emit, signal })
  const native = needsTwinTree(profile) ? await openTree({ project, suite: profile.suite, tools, emit, signal }) : tools
  const foreign = profile.architecture !== hostArchitecture()
  if (foreign && profile.architecture === 'amd64') throw needsX86(profile)
  const { architecture } = profile
  const emulation = foreign
    ? await findEmulation(architecture, { tools, folder: join(scratch, 'binfmt'), signal })
    : undefined
  assertSound(architecture, { emulation, twins })
  return {
    ...shared,
    profile,
    lock,
    blobs: projectBlobs(project),
    tools,
    emulation,
    native: twins ? native : undefined,
    timeSeconds: Math.floor(Date.parse(lock.time) / 1000),
  }
}

const labelOf = ({ name, version }: LockedDeb): string => `${name} ${version}`

/** Check that packages in the cache are what the lock says, all at once. Throws `CACHE_CORRUPT` or `MISSING_OFFLINE`. */
export const verifyDebs = (
  kitchen: Pick<Kitchen, 'blobs' | 'emit' | 'signal'>,
  debs: readonly LockedDeb[],
): Promise<void> =>
  kitchen.blobs.verifyBlobs(
    debs.map((deb) => ({ sha256: deb.sha256, sizeBytes: deb.sizeBytes, label: labelOf(deb) })),
    { emit: kitchen.emit, signal: kitchen.signal },
  )

/**
 * The packages with their control stanzas, ready for a repository. Reading the stanzas of all packages of a lock takes a
 * second, so they are kept in the cache.
 */
export const describeDebs = async (
  kitchen: Pick<Kitchen, 'blobs' | 'project' | 'tools' | 'scratch' | 'emit' | 'signal'> & {
    lock: Pick<Lock, 'steps' | 'extras'>
  },
  debs: readonly LockedDeb[],
): Promise<RepositoryDeb[]> => {
  const { lock, blobs, project, tools, scratch, signal } = kitchen
  const all = allDebs(lock)
  const key = hashJson(['packages index 1', ...all.map((deb) => `${debFileName(deb)} ${deb.sha256}`).sort()])
  const index = await derive(
    project.cache,
    { key, label: 'the index of the locked packages', signal },
    async (path) => {
      await verifyDebs(kitchen, all)
      const farm = join(scratch, 'index')
      await mkdir(farm)
      for (const deb of all) await link(blobs.blobPath(deb.sha256), join(farm, debFileName(deb)))
      await writeFile(path, await scanPackages(tools, farm, signal))
      await rm(farm, { recursive: true })
    },
  )
  const stanzas = stanzasByFile(await readFile(index.path, 'utf8'))
  return debs.map((deb) => {
    const stanza = stanzas.get(debFileName(deb))
    if (!stanza) throw new Error(`no stanza for ${debFileName(deb)}`)
    return { source: blobs.blobPath(deb.sha256), stanza }
  })
}
