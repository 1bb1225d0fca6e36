import { spawnSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openKitchen } from '../../builder/bake/kitchen.ts'
import { planBake } from '../../builder/bake/prepare.ts'
import { runCommand } from '../../builder/host/command.ts'
import { makeScratch } from '../../builder/host/scratch.ts'
import { type Checkout, makeCheckout } from '../support/checkout.ts'
import { checkout as home } from '../support/tools.ts'
import { benchEdit, benchNothingChanged, benchWholeBake, imageStepMs } from './bakes.ts'
import { benchBoot } from './boot.ts'
import { benchImage } from './image.ts'
import { describeMachine, type Machine, machineLines, samePlace } from './machine.ts'
import { renderPage, renderPlot, renderText } from './report.ts'
import type { PartResult, Row, Say } from './result.ts'
import { benchTwins } from './twins.ts'

/** In the order of the page. */
const parts = ['twins', 'bake', 'community', 'image', 'boot'] as const
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
const jsonPath = join(docs, 'bench.json')

/** What earlier runs on a machine like this one found of the parts that are not measured now. */
const readOthers = async (machine: Machine, chosen: ReadonlySet<Part>): Promise<PartResult[]> => {
  const json = await readFile(jsonPath, 'utf8').catch(() => '{"results": []}')
  const { results }: { results: PartResult[] } = JSON.parse(json)
  const others = results.filter(({ part }) => !chosen.has(part as Part))
  if (others.every((result) => samePlace(result.machine, machine))) return others
  return fail('`docs/bench.json` is from another machine: measure all parts, without `--only`.')
}

const write = async (results: readonly PartResult[]): Promise<void> => {
  const sorted = parts.flatMap((part) => results.filter((result) => result.part === part))
  await mkdir(docs, { recursive: true })
  await writeFile(jsonPath, `${JSON.stringify({ results: sorted }, null, 2)}\n`)
  await writeFile(join(docs, 'bench.md'), renderPage(sorted))
  await writeFile(join(docs, 'bench.svg'), renderPlot(sorted.flatMap(({ rows }) => rows)))
  say('\nWritten to docs/bench.md, docs/bench.json and docs/bench.svg.')
}

const bench = async (chosen: ReadonlySet<Part>, signal: AbortSignal): Promise<void> => {
  const machine = describeMachine(home)
  const others = chosen.size < parts.length ? await readOthers(machine, chosen) : []
  for (const line of machineLines(machine)) say(line)
  // The last thing that wants a network.
  if (chosen.has('twins')) await runCommand([join(home, 'pibake'), 'fetch', '--profile', fixedSet])
  if (chosen.has('community')) await runCommand([join(home, 'pibake'), 'fetch', '--profile', 'community'])
  const checkout = await makeCheckout()
  await using stack = new AsyncDisposableStack()
  stack.defer(() => checkout.remove())
  const scratch = stack.use(await makeScratch(checkout.project.work))
  const { kitchen, steps } = await openPlan(checkout, 'pub', scratch.path, signal)
  const { tools, lock } = kitchen
  const results: PartResult[] = []
  const add = (part: Part, rows: Row[]): void => {
    results.push({ part, machine, rows })
  }

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
    const stepMs = await imageStepMs(checkout)
    add('image', await benchImage({ tools, image, stepMs, scratch: scratch.path }))
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
  say(`\n${renderText(results.flatMap(({ rows }) => rows))}`)
  await write([...others, ...results])
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
  await bench(chosen, interrupted.signal)
}
