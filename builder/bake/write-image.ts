import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Sha256 } from '../core/digest.ts'
import type { Stanza } from '../deb/deb822.ts'
import { fixTimes, type ImageMirror, readImageMirror, writeImageMirror } from '../deb/image-mirror.ts'
import { writeNpmRegistry } from '../deb/npm-registry.ts'
import type { RepositoryDeb } from '../deb/repository.ts'
import { mountLayers } from '../host/mount.ts'
import { type AssembledImage, assembleImage } from '../image/assemble.ts'
import { baseLayout, newLayout } from '../image/layout.ts'
import { assertClean, lintRoot } from '../image/lint.ts'
import type { BaseImage } from '../image/open.ts'
import { allDebs } from '../lock/debs.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import { identityOf } from './finalise.ts'
import { describeDebs, type Kitchen, verifyDebs } from './kitchen.ts'

/** Where the mirror stage looks for its packages on the image. */
const mirrorFolder = 'srv/pibake/mirror'
const mirrorStage = 'apt-mirror'
/** Where the same stage looks for npm packages, and the path under which it serves them. */
const registryFolder = 'srv/pibake/npm'
const registryPath = 'npm'

const wantsNpm = ({ stages }: ResolvedProfile): boolean =>
  stages.some(({ stage, settings }) => stage.name === mirrorStage && settings['npm-packages'] === true)

const mirrorIn = ({ suite, architecture }: ResolvedProfile, root: string): ImageMirror => ({
  root,
  folder: mirrorFolder,
  suite,
  architecture,
})

/**
 * Write the image from the merged view of the layers, with the mirror on top where the profile has one, unless the lint
 * finds something. `finaliseKey` names the image's table and file systems. Throws `LINT_FAILED`, `DISK_FULL`.
 */
export const writeImage = async (
  kitchen: Kitchen,
  options: {
    stepId: string
    finaliseKey: Sha256
    /** The image that it is written upon, whose layout it keeps. */
    base: BaseImage | undefined
    layers: readonly string[]
    stagePackages: readonly RepositoryDeb[]
    destination: string
  },
): Promise<AssembledImage> => {
  const { tools, profile, scratch, timeSeconds, emit, signal } = kitchen
  const { stepId, finaliseKey, base, layers, stagePackages, destination } = options
  const { hashSeed, ...identity } = identityOf(finaliseKey, profile.target)
  const { bootMiB } = profile.image
  const hasMirror = profile.stages.some(({ stage }) => stage.name === mirrorStage)
  const mirror = hasMirror ? [await layMirror(kitchen, layers, stagePackages)] : []
  // overlayfs wants two lower folders at least; an empty one changes nothing.
  const empty = join(scratch, 'empty')
  await mkdir(empty)
  await using view = await mountLayers(tools, [empty, ...layers, ...mirror], join(scratch, 'view'))
  const approval = approveRoot(kitchen, view.path, { hasMirror })
  const approved = approval.catch(() => undefined)
  try {
    return await assembleImage({
      tools,
      root: view.path,
      destination,
      layout: base ? baseLayout(base, { bootMiB }) : newLayout({ ...identity, bootMiB }),
      hashSeed,
      marginMiB: profile.image.marginMiB,
      timeSeconds,
      approval,
      emit,
      stepId,
      signal,
    })
  } finally {
    // It reads the mounted view.
    await approved
  }
}

/** Check what goes onto the image: the lint over its root, and the packages of its mirror against the lock. */
const approveRoot = async (kitchen: Kitchen, root: string, { hasMirror }: { hasMirror: boolean }): Promise<void> => {
  const { lock, profile, signal } = kitchen
  assertClean((await lintRoot(root, { architecture: profile.architecture, signal })).findings)
  if (hasMirror) await verifyDebs(kitchen, allDebs(lock))
}

/** What the mirror of the base image lists, as the layers show it. */
const readMirrorBelow = async (kitchen: Kitchen, layers: readonly string[]): Promise<Map<string, Stanza[]>> => {
  const { tools, profile, scratch } = kitchen
  if (profile.base.kind !== 'image') return new Map()
  await using view = await mountLayers(tools, layers, join(scratch, 'mirror.below'))
  return await readImageMirror(mirrorIn(profile, view.path))
}

/** Lay out the npm packages of all stages as a registry, and how each stage's tree is put together. */
const layRegistry = async ({ lock, blobs, profile, signal }: Kitchen, folder: string): Promise<void> => {
  const packages = Object.values(lock.npm).flat()
  const labelled = packages.map((item) => ({ ...item, label: `${item.name} ${item.version}` }))
  await blobs.verifyBlobs(labelled, { signal })
  const items = packages.map((item) => ({ ...item, source: blobs.blobPath(item.sha256) }))
  await writeNpmRegistry(folder, items, { path: registryPath })
  for (const { stage } of profile.stages.filter(({ stage: { npm } }) => npm)) {
    // No package can be called `-`.
    const trees = join(folder, '-', stage.name)
    await mkdir(trees, { recursive: true })
    for (const name of ['package.json', 'package-lock.json']) {
      await copyFile(join(stage.folder, 'npm', name), join(trees, name))
    }
  }
}

/**
 * Lay out the mirror as one more layer: everything of Debian's that is on the image and the profile's extra packages,
 * apart from them the stages' packages. Its index lists what the mirror of a base image has as well.
 */
const layMirror = async (
  kitchen: Kitchen,
  layers: readonly string[],
  stagePackages: readonly RepositoryDeb[],
): Promise<string> => {
  const { lock, profile, scratch, timeSeconds } = kitchen
  const root = join(scratch, 'mirror')
  await writeImageMirror(mirrorIn(profile, root), {
    components: new Map([
      ['main', await describeDebs(kitchen, allDebs(lock))],
      ['pibake', stagePackages],
    ]),
    below: await readMirrorBelow(kitchen, layers),
    timeSeconds,
  })
  if (wantsNpm(profile)) await layRegistry(kitchen, join(root, registryFolder))
  await fixTimes(root)
  return root
}
