import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setInterval } from 'node:timers'
import { assertInstalled, versionsOf } from '../../builder/bake/base.ts'
import { describeDebs, type Kitchen } from '../../builder/bake/kitchen.ts'
import { bakeLayer, scaffoldLayer } from '../../builder/bake/layer.ts'
import { stagePackage } from '../../builder/bake/stage-package.ts'
import { layerRoot } from '../../builder/cache/layers.ts'
import { hashJson, type Sha256 } from '../../builder/core/digest.ts'
import { formatDuration } from '../../builder/core/size.ts'
import type { RepositoryDeb } from '../../builder/deb/repository.ts'
import { packageNameOf } from '../../builder/deb/stage-control.ts'
import { stepDebs } from '../../builder/lock/debs.ts'
import type { LockedDeb } from '../../builder/lock/schema.ts'
import { runInRoot, type TargetRoot } from '../../builder/root/root.ts'
import type { Row, Say } from './result.ts'

/** What an installation cost. */
interface Cost {
  wallMs: number
  /** User and system time of everything that was started. */
  cpuMs: number
}

const rootFolder = join(import.meta.dirname, '../../builder/root')

/**
 * As `installPackages`, timed from inside the sandbox: who starts a sandbox never waits for its first process, so the
 * kernel does not add up what ran in there.
 */
const timedInstall = async (
  root: TargetRoot,
  names: readonly string[],
  options: { signal: AbortSignal; onLine: (line: string) => void },
): Promise<Cost> => {
  const seconds: number[] = []
  const onLine = (line: string): void => {
    const found = /^pibake-bench (\S+) (\S+) (\S+)$/.exec(line)
    if (found) seconds.push(...found.slice(1).map(Number))
    else options.onLine(line)
  }
  const script = 'TIMEFORMAT="pibake-bench %3R %3U %3S"; time bash /pibake/apt.sh "$@"'
  await runInRoot(root, ['bash', '-c', script, 'bash', root.architecture, ...names], {
    signal: options.signal,
    onLine,
    mounts: ['apt.sh', 'apt.conf'].map((name) => ({ source: join(rootFolder, name), target: `/pibake/${name}` })),
  })
  const [wall, user, system] = seconds
  if (wall === undefined || user === undefined || system === undefined) throw new Error('bash said no times')
  return { wallMs: wall * 1000, cpuMs: (user + system) * 1000 }
}

/** What one run of apt installs on the sealed base of a profile. */
interface PackageSet {
  kitchen: Kitchen
  /** Folders of the base, from the bottom up. */
  below: readonly string[]
  /** What apt is asked for. */
  names: readonly string[]
  /** All that comes with it. */
  debs: readonly LockedDeb[]
  /** Packages of stages among them. */
  own: readonly RepositoryDeb[]
}

/** Install a set into a fresh root on its base, in one run of apt. */
const install = async (
  set: PackageSet,
  { mode, say }: { mode: 'twins' | 'emulation'; say: Say },
): Promise<Cost & { count: number }> => {
  const { below, names, debs, own } = set
  const kitchen = mode === 'twins' ? set.kitchen : { ...set.kitchen, native: undefined }
  const { lock, signal } = kitchen
  const before = versionsOf(stepDebs(lock, 'base'))
  const described = [...(await describeDebs(kitchen, debs)), ...own]
  const id = `bench-${mode}-${randomUUID()}`
  const step = { id, title: mode, inputs: [], key: hashJson(id) }
  let cost: Cost | undefined
  let done = 0
  const started = performance.now()
  const report = (): void => {
    const tookMs = performance.now() - started
    const left = done === 0 ? '' : `, about ${formatDuration((tookMs / done) * (2 * described.length - done))} left`
    say(`  ${mode}: ${done} of ${2 * described.length} packages unpacked or set up, ${formatDuration(tookMs)}${left}`)
  }
  const timer = setInterval(report, 10_000)
  try {
    await bakeLayer(
      kitchen,
      { step, lower: below, debs: described, packages: { before, added: versionsOf(debs) } },
      async (root) => {
        const onLine = (line: string): void => {
          if (/^(?:Unpacking|Setting up) /.test(line)) done += 1
        }
        cost = await timedInstall(root, names, { signal, onLine })
        await assertInstalled(join(root.layer, 'upper'), step.id, debs)
      },
    )
  } finally {
    clearInterval(timer)
  }
  if (!cost) throw new Error('nothing was measured')
  return { ...cost, count: described.length }
}

/** A set with native twins, and under emulation alone. */
const compare = async (set: PackageSet, say: Say): Promise<{ twins: Cost & { count: number }; emulation: Cost }> => {
  // Once unmeasured, so that both measured runs find the packages in memory.
  await install(set, { mode: 'twins', say })
  const twins = await install(set, { mode: 'twins', say })
  say(`  ${twins.count} packages with twins: ${formatDuration(twins.wallMs)}`)
  const emulation = await install(set, { mode: 'emulation', say })
  say(`  ${twins.count} packages under emulation: ${formatDuration(emulation.wallMs)}`)
  return { twins, emulation }
}

const baseOf = async (kitchen: Kitchen, baseKey: Sha256): Promise<string[]> => [
  await scaffoldLayer(kitchen),
  layerRoot(kitchen.project.cache, baseKey),
]

/**
 * The extra packages of `twins.yaml` with all they need, and what the stages of `pub` bring with the extra packages of
 * its mirror: each with native twins and under emulation. The sealed bases must be in the cache.
 */
export const benchTwins = async (
  fixed: { kitchen: Kitchen; baseKey: Sha256 },
  pub: { kitchen: Kitchen; baseKey: Sha256 },
  say: Say,
): Promise<Row[]> => {
  const community = await compare(
    {
      kitchen: fixed.kitchen,
      below: await baseOf(fixed.kitchen, fixed.baseKey),
      names: fixed.kitchen.profile.extraPackages,
      debs: fixed.kitchen.lock.extras,
      own: [],
    },
    say,
  )
  const { profile, lock } = pub.kitchen
  const stages = await compare(
    {
      kitchen: pub.kitchen,
      below: await baseOf(pub.kitchen, pub.baseKey),
      names: [...profile.stages.map(({ stage }) => packageNameOf(stage.name)), ...profile.extraPackages],
      debs: [...lock.steps.filter(({ name }) => name !== 'base').flatMap(({ debs }) => debs), ...lock.extras],
      own: await Promise.all(profile.stages.map((entry) => stagePackage(pub.kitchen, entry))),
    },
    say,
  )
  const what = `${community.twins.count} packages of a community node installed with native twins`
  return [
    {
      id: 'twins-wall',
      what,
      measured: community.twins.wallMs,
      reference: { what: 'under emulation', value: community.emulation.wallMs },
      unit: 'ms',
      ratio: 'faster',
      limit: 15,
    },
    {
      id: 'twins-cpu',
      what: `${what}: processor time`,
      measured: community.twins.cpuMs,
      reference: { what: 'under emulation', value: community.emulation.cpuMs },
      unit: 'ms',
      ratio: 'faster',
    },
    {
      id: 'twins-pub',
      what: `All ${stages.twins.count} packages that \`pub\` puts on the base, with native twins`,
      measured: stages.twins.wallMs,
      reference: { what: 'under emulation', value: stages.emulation.wallMs },
      unit: 'ms',
      ratio: 'faster',
    },
  ]
}
