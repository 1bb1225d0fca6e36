import { appendFile, cp, mkdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { openKitchen } from '../../../builder/bake/kitchen.ts'
import { planBake } from '../../../builder/bake/prepare.ts'
import { projectAt } from '../../../builder/core/project.ts'
import { formatDuration } from '../../../builder/core/size.ts'
import { runCommand } from '../../../builder/host/command.ts'
import { makeScratch } from '../../../builder/host/scratch.ts'
import { readPartitionTable } from '../../../builder/image/table.ts'
import { allDebs } from '../../../builder/lock/debs.ts'
import { basePackagesOf, kernelPackageOf } from '../../../builder/profile/base-packages.ts'
import type { ResolvedProfile } from '../../../builder/profile/schema.ts'
import type { Checkout } from '../../support/checkout.ts'
import { checkout as home } from '../../support/tools.ts'
import { firstUnit, imageStepMs } from '../bakes.ts'
import type { Row, Say } from '../result.ts'
import { compressAsPeer, type Figures, runPeer, type Task } from './contenders.ts'
import { costOf } from './cost.ts'
import { openPeerHost, type Peer, peers } from './host.ts'
import { writePeerMirror } from './mirror.ts'
import { type Compressed, peerRows } from './rows.ts'

const name = 'peers'
const lastStage = 'ssh'
const forms = ['zst', 'xz'] as const

/** What a peer is asked to install: what pibake's base consists of, and what the stages of the profile need. */
const packagesOf = (profile: ResolvedProfile): string[] => [
  ...basePackagesOf(profile),
  kernelPackageOf(profile.architecture),
  ...profile.stages.flatMap(({ stage }) => stage.packages),
]

/** The partitions of the image that pibake has written; the peers' are as large. Sizes in MiB. */
const readSizes = async (image: string): Promise<{ bootMiB: number; rootMiB: number }> => {
  const { partitions } = await readPartitionTable(image)
  const [boot, root] = partitions.map(({ sectors }) => Math.ceil(sectors / 2048))
  if (boot === undefined || root === undefined) throw new Error(`${image} has not two partitions`)
  // What the peers leave on the root, apt's lists above all, pibake does not.
  return { bootMiB: boot, rootMiB: root + 256 }
}

/** Linux without a driver for FAT cannot mount it: there, vmdb2 and debos put ext2 in its place. */
const bootFileSystem = async (): Promise<'vfat' | 'ext2'> => {
  await runCommand(['modprobe', 'vfat']).catch(() => undefined)
  return /\bvfat$/m.test(await readFile('/proc/filesystems', 'utf8')) ? 'vfat' : 'ext2'
}

/** Undefined where the peers cannot have qemu-user to themselves. */
const prepare = async (
  checkout: Checkout,
  signal: AbortSignal,
): Promise<(Omit<Task, 'environment'> & { profile: ResolvedProfile }) | undefined> => {
  const { project } = checkout
  await checkout.addProfile(name, ['hostname: peers', 'stages:', `  - ${lastStage}`])
  const plan = await planBake(project, { name, target: 'rpi-arm64' }, () => {
    throw new Error('the profile starts from nothing')
  })
  await using scratch = await makeScratch(project.work)
  const emit = (): void => undefined
  const kitchen = await openKitchen(plan, { project, twins: true, scratch: scratch.path, emit, signal })
  if (kitchen.emulation !== 'private') return undefined
  const host = await openPeerHost(join(projectAt(home).state, 'bench-peers'), { tools: kitchen.tools, emit, signal })
  const folder = join(project.root, 'peers')
  const files = join(folder, 'files')
  await mkdir(files, { recursive: true })
  for (const { stage } of plan.profile.stages) {
    if (stage.overlay !== undefined) await cp(stage.overlay, files, { recursive: true, verbatimSymlinks: true })
  }
  await writePeerMirror(kitchen, join(folder, 'mirror'))
  // pibake starts without the index that this has left in its cache.
  await rm(join(project.cache, 'derived'), { recursive: true, force: true })
  const unit = await firstUnit(join(project.overlays, lastStage))
  return {
    host,
    folder,
    mirror: join(folder, 'mirror'),
    files,
    editedFile: unit.slice(join(project.overlays, lastStage).length + 1),
    debs: allDebs(plan.lock),
    profile: plan.profile,
    signal,
  }
}

const runPibake = async (checkout: Checkout, editedFile: string): Promise<Figures> => {
  const run = async (ran: number) => {
    const start = () => checkout.start(['--profile', name, '--offline'])
    const { cost, result } = await costOf(checkout.project.root, start)
    if (result.exitCode !== 0) throw new Error(`the bake failed:\n${result.stderr}`)
    if (result.data.ran !== ran) throw new Error(`${result.data.ran} steps ran instead of ${ran}`)
    return cost
  }
  const fresh = await run(5)
  const again = await run(0)
  await appendFile(join(checkout.project.overlays, lastStage, editedFile), '# 1\n')
  return { fresh, again, edit: await run(3), imageMs: await imageStepMs(checkout, name) }
}

const compressAll = async (checkout: Checkout, task: Task): Promise<Compressed[]> => {
  const image = join(checkout.project.images, `${name}.img`)
  const found: Compressed[] = []
  for (const form of forms) {
    const start = () => checkout.start(['--profile', name, '--offline', '--compress', form])
    const { cost, result } = await costOf(checkout.project.root, start)
    if (result.exitCode !== 0) throw new Error(`compressing failed:\n${result.stderr}`)
    const { size } = await stat(`${image}.${form}`)
    const pibake = { wallMs: cost.wallMs, sizeBytes: size }
    found.push({ form, pibake, peer: await compressAsPeer(task, image, form) })
  }
  return found
}

/** The same image by pibake and by its peers: the same packages from the same files, each on its own best way. */
export const benchPeers = async (
  checkout: Checkout,
  { say, signal }: { say: Say; signal: AbortSignal },
): Promise<Row[]> => {
  const found = await prepare(checkout, signal)
  if (!found) {
    say('  skipped: this machine has no private binfmt_misc, or runs the target itself')
    return []
  }
  const { profile, ...prepared } = found
  const tell = (who: string, { fresh, again, edit, imageMs }: Figures): void => {
    const times = [fresh.wallMs, again.wallMs, edit.wallMs, imageMs].map(formatDuration)
    say(`  ${who}: from nothing ${times[0]}, again ${times[1]}, edit ${times[2]}, image ${times[3]}`)
  }
  const pibake = await runPibake(checkout, prepared.editedFile)
  tell('pibake', pibake)
  const sizes = await readSizes(join(checkout.project.images, `${name}.img`))
  const environment = {
    PACKAGES: packagesOf(profile).join(' '),
    BOOT_FS: await bootFileSystem(),
    BOOT_MIB: String(sizes.bootMiB),
    ROOT_MIB: String(sizes.rootMiB),
  }
  const task: Task = { ...prepared, environment }
  const figures = new Map<Peer, Figures>()
  for (const peer of peers) {
    try {
      const taken = await runPeer(task, peer)
      tell(peer, taken)
      figures.set(peer, taken)
    } catch (error) {
      signal.throwIfAborted()
      // What the others took, in many minutes, is not lost with one.
      say(`  ${peer} made no image: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  if (figures.size < peers.length) process.exitCode = 1
  const compressed = await compressAll(checkout, task)
  return peerRows({ pibake, figures, compressed, versions: prepared.host.versions })
}
