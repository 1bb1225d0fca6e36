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
import { packageNameOf } from '../../builder/deb/stage-control.ts'
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

/**
 * Install the fixed set into a fresh root on the sealed base, in one run of apt: every package that the stages of the
 * profile bring, the stages' own packages, and the extra packages of the profile's mirror. All of them are in its lock.
 */
const install = async (
  kitchen: Kitchen,
  options: { mode: 'twins' | 'emulation'; below: readonly string[]; say: Say },
): Promise<Cost & { count: number }> => {
  const { mode, below, say } = options
  const { lock, profile, signal } = kitchen
  const stepDebs = lock.steps.filter(({ name }) => name !== 'base').flatMap(({ debs }) => debs)
  const debs = [...stepDebs, ...lock.extras]
  const before = versionsOf(lock.steps.find(({ name }) => name === 'base')?.debs ?? [])
  const own = await Promise.all(profile.stages.map((entry) => stagePackage(kitchen, entry)))
  const described = [...(await describeDebs(kitchen, debs)), ...own]
  const names = [
    ...profile.stages.map(({ stage }) => packageNameOf(stage.name)),
    ...lock.extras.map(({ name }) => name),
  ]
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

/** The fixed set with native twins and under emulation alone. */
export const benchTwins = async (kitchen: Kitchen, baseKey: Sha256, say: Say): Promise<Row[]> => {
  const below = [await scaffoldLayer(kitchen), layerRoot(kitchen.project.cache, baseKey)]
  const twinned = { mode: 'twins', below, say } as const
  // Once unmeasured, so that both measured runs find the packages in memory.
  await install(kitchen, twinned)
  const twins = await install(kitchen, twinned)
  say(`  twins: ${formatDuration(twins.wallMs)}`)
  const emulation = await install({ ...kitchen, native: undefined }, { mode: 'emulation', below, say })
  say(`  emulation: ${formatDuration(emulation.wallMs)}`)
  const what = `${twins.count} packages installed with native twins`
  return [
    {
      id: 'twins-wall',
      what,
      measured: twins.wallMs,
      reference: { what: 'under emulation', value: emulation.wallMs },
      unit: 'ms',
      ratio: 'faster',
      limit: 15,
    },
    {
      id: 'twins-cpu',
      what: `${what}: processor time`,
      measured: twins.cpuMs,
      reference: { what: 'under emulation', value: emulation.cpuMs },
      unit: 'ms',
      ratio: 'faster',
    },
  ]
}
