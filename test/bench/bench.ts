import { spawnSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { openKitchen } from '../../builder/bake/kitchen.ts'
import { planBake } from '../../builder/bake/prepare.ts'
import { projectAt } from '../../builder/core/project.ts'
import { runCommand } from '../../builder/host/command.ts'
import { makeScratch } from '../../builder/host/scratch.ts'
import { type Checkout, makeCheckout } from '../support/checkout.ts'
import { checkout as home } from '../support/tools.ts'
import { benchEdit, benchNothingChanged, benchWholeBake, imageStepMs } from './bakes.ts'
import { benchBoot } from './boot.ts'
import { benchFlash } from './flash.ts'
import { benchImage } from './image.ts'
import { describeMachine, type Machine, machineLines, samePlace } from './machine.ts'
import { benchPeers } from './peers/peers.ts'
import { renderPeerPlot } from './peers/report.ts'
import { renderPage, renderPlot, renderText } from './report.ts'
import type { PartResult, Row, Say } from './result.ts'
import { benchTwins } from './twins.ts'

/** In the order of the page. */
const parts = ['twins', 'bake', 'community', 'image', 'flash', 'boot', 'peers'] as const
type Part = (typeof parts)[number]

const fixedSet = join(import.meta.dirname, 'twins.yaml')

const marker = 'PIBAKE_BENCH_MOUNTS'

const say: Say = (line) => process.stdout.write(`${line}\n`)

const fail = (sentence: string): never => {
  process.stderr.write(`✗ ${sentence}\n`)
  process.exit(2)
}

const chosenParts = (): ReadonlySet<Part> => {
  const { values } = parseArgs({ options: { only: { type: 'string' } } })
  if (values.only === undefined) return new Set(parts)
  return new Set(
    values.only.split(',').map((name) => {
      const part = parts.find((item) => item === name)
      return part ?? fail(`\`${name}\` is no part of the bench; there are ${parts.join(', ')}.`)
    }),
  )
}

const noBase = (): never => {
  throw new Error('the profiles of the bench start from nothing')
}

/** The plan of a profile in the checkout, and everything that its steps share; `scratch` must be its own. */
const openPlan = async ({ project }: Checkout, name: string, scratch: string, signal: AbortSignal) => {
  const plan = await planBake(project, { name, target: 'rpi-arm64' }, noBase)
  const kitchen = await openKitchen(plan, { project, twins: true, scratch, emit: () => undefined, signal })
  return { kitchen, steps: plan.steps }
}

/** The fixed set, on a base that is baked here where it is not the one of `pub`, and the set of `pub`. */
const benchBothSets = async (
  checkout: Checkout,
  pub: Awaited<ReturnType<typeof openPlan>>,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Row[]> => {
  const baked = await checkout.runJson(['--profile', fixedSet, '--offline'])
  if (baked.exitCode !== 0) throw new Error(`the base could not be baked:\n${baked.stderr}`)
  const scratch = stack.use(await makeScratch(checkout.project.work))
  const fixed = await openPlan(checkout, fixedSet, scratch.path, signal)
  const [base, pubBase] = [fixed.steps[0], pub.steps[0]]
  if (!base || !pubBase) throw new Error('a plan begins with its base')
  return benchTwins({ kitchen: fixed.kitchen, baseKey: base.key }, { kitchen: pub.kitchen, baseKey: pubBase.key }, say)
}

const docs = join(home, 'docs')

/**
 * Where the report goes, and what earlier runs found of the parts that are not measured now: the documentation keeps
 * together only what was measured on one machine.
 */
const openReport = async (
  machine: Machine,
  chosen: ReadonlySet<Part>,
): Promise<{ folder: string; others: PartResult[] }> => {
  const json = await readFile(join(docs, 'bench.json'), 'utf8').catch(() => '{"results": []}')
  const { results }: { results: PartResult[] } = JSON.parse(json)
  const others = results.filter(({ part }) => !chosen.has(part as Part))
  if (others.every((result) => samePlace(result.machine, machine))) return { folder: docs, others }
  say('`docs/bench.json` is from another machine and stays as it is.')
  return { folder: join(projectAt(home).state, 'bench'), others: [] }
}

const write = async (folder: string, results: readonly PartResult[]): Promise<void> => {
  const sorted = parts.flatMap((part) => results.filter((result) => result.part === part))
  const { peers = [], own = [] } = Object.groupBy(sorted, ({ part }) => (part === 'peers' ? 'peers' : 'own'))
  const files = {
    'bench.json': `${JSON.stringify({ results: sorted }, null, 2)}\n`,
    'bench.md': renderPage(sorted),
    ...(own.length > 0 ? { 'bench.svg': renderPlot(own.flatMap(({ rows }) => rows)) } : {}),
    ...(peers.length > 0 ? { 'bench-peers.svg': renderPeerPlot(peers.flatMap(({ rows }) => rows)) } : {}),
  }
  await mkdir(folder, { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  say(`\nWritten below ${relative(home, folder)}: ${Object.keys(files).join(', ')}.`)
}

/** Everything that bakes `pub` or starts from its image. */
const benchPub = async (
  checkout: Checkout,
  chosen: ReadonlySet<Part>,
  { add, signal }: { add: (part: Part, rows: Row[]) => void; signal: AbortSignal },
): Promise<void> => {
  await using stack = new AsyncDisposableStack()
  const scratch = stack.use(await makeScratch(checkout.project.work))
  const { kitchen, steps } = await openPlan(checkout, 'pub', scratch.path, signal)
  const { tools, lock } = kitchen

  say('\nWhole bake of pub')
  const whole = await benchWholeBake(checkout, { profile: 'pub', steps: steps.length, limitMs: 180_000 }, say)
  const image = join(checkout.project.images, 'pub.img')
  if (chosen.has('bake')) {
    say('\nAgain, and after an edit')
    const again = await benchNothingChanged(checkout)
    add('bake', [...whole, ...again, ...(await benchEdit(checkout, lock.steps.at(-1)?.name ?? ''))])
  }
  if (chosen.has('community')) {
    say('\nWhole bake of community')
    const plan = await planBake(checkout.project, { name: 'community', target: 'rpi-arm64' }, noBase)
    add('community', await benchWholeBake(checkout, { profile: 'community', steps: plan.steps.length }, say))
  }
  if (chosen.has('image')) {
    say('\nImage step')
    const stepMs = await imageStepMs(checkout, 'pub')
    add('image', await benchImage({ tools, image, stepMs, scratch: scratch.path }))
  }
  if (chosen.has('flash')) {
    say('\nFlash')
    add('flash', await benchFlash({ image, scratch: scratch.path, say }))
  }
  if (chosen.has('boot')) {
    say('\nBoot')
    add('boot', await benchBoot({ tools, image, scratch: scratch.path, signal, say }))
  }
  if (chosen.has('twins')) {
    say('\nNative twins against emulation')
    if (kitchen.emulation !== 'private')
      say('  skipped: this machine has no private binfmt_misc, or runs the target itself')
    else add('twins', await benchBothSets(checkout, { kitchen, steps }, stack, signal))
  }
}

const bench = async (chosen: ReadonlySet<Part>, signal: AbortSignal): Promise<void> => {
  const machine = describeMachine(home)
  const { folder, others } = await openReport(machine, chosen)
  for (const line of machineLines(machine)) say(line)
  // The last thing that wants a network, but for the peers.
  if (chosen.has('twins')) await runCommand([join(home, 'pibake'), 'fetch', '--profile', fixedSet])
  if (chosen.has('community')) await runCommand([join(home, 'pibake'), 'fetch', '--profile', 'community'])
  const results: PartResult[] = []
  const add = (part: Part, rows: Row[]): void => {
    results.push({ part, machine, rows })
  }
  const inCheckout = async (work: (checkout: Checkout) => Promise<void>): Promise<void> => {
    const checkout = await makeCheckout()
    try {
      await work(checkout)
    } finally {
      await checkout.remove()
    }
  }
  if (chosen.size > 1 || !chosen.has('peers')) {
    await inCheckout((checkout) => benchPub(checkout, chosen, { add, signal }))
  }
  if (chosen.has('peers')) {
    say('\nThe same image by others')
    await inCheckout(async (checkout) => {
      const rows = await benchPeers(checkout, { say, signal })
      if (rows.length > 0) add('peers', rows)
    })
  }
  say(`\n${renderText(results.flatMap(({ rows }) => rows))}`)
  await write(folder, [...others, ...results])
}

const chosen = chosenParts()
if (process.getuid?.() !== 0) fail('The bench bakes and mounts, which needs root: run it with `sudo`.')
if (process.env[marker] === undefined) {
  // What is mounted for a measurement ends with this process.
  const [program, ...words] = ['unshare', '--mount', '--propagation', 'slave'] as const
  const command = [...words, process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const { status } = spawnSync(program, command, { stdio: 'inherit', env: { ...process.env, [marker]: '1' } })
  process.exitCode = status ?? 1
} else {
  const interrupted = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort())
  try {
    await bench(chosen, interrupted.signal)
  } catch (error) {
    if (!interrupted.signal.aborted) throw error
    say('Interrupted; what was measured before is as it was.')
    process.exitCode = 130
  }
}
