import { appendFile, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { formatDuration } from '../../builder/core/size.ts'
import type { Checkout, JsonRun } from '../support/checkout.ts'
import { median, peakMemory } from './measure.ts'
import type { Row, Say } from './result.ts'

const argsFor = (profile: string): string[] => ['--profile', profile, '--offline']

const args = argsFor('pub')

const requireSteps = (run: JsonRun, ran: number): JsonRun => {
  if (run.exitCode !== 0) throw new Error(`the bake failed:\n${run.stderr}`)
  if (run.data.ran !== ran) throw new Error(`${run.data.ran} steps ran instead of ${ran}`)
  return run
}

/** How long a step of a run took, in milliseconds. */
const stepMs = (run: JsonRun, id: string): number => {
  const event = run.events.find((item) => item.type === 'step-end' && item.id === id)
  if (event?.type !== 'step-end') throw new Error(`step ${id} did not run`)
  return event.durationMs
}

/** Bake everything from warm packages: no layers, no packages of stages, no index. `steps` is how many must run. */
export const benchWholeBake = async (
  checkout: Checkout,
  { profile, steps, limitMs }: { profile: string; steps: number; limitMs?: number },
  say: Say,
): Promise<Row[]> => {
  const run = checkout.start(argsFor(profile))
  const startedMs = performance.now()
  const peak = peakMemory(run.pid, run.ended)
  const done = requireSteps(await run.ended, steps)
  const wallMs = performance.now() - startedMs
  say(`  whole bake: ${formatDuration(wallMs)}`)
  for (const event of done.events) {
    if (event.type === 'step-end') say(`    ${event.id}: ${formatDuration(event.durationMs)}`)
  }
  const image = await stat(join(checkout.project.images, `${profile}.img`))
  return [
    {
      id: `${profile}-bake`,
      what: `Whole bake of \`${profile}\`, packages warm, no layers`,
      measured: wallMs,
      unit: 'ms',
      ...(limitMs === undefined ? {} : { limit: limitMs }),
    },
    { id: `${profile}-memory`, what: `Peak memory of that bake`, measured: await peak, unit: 'bytes' },
    {
      id: `${profile}-bytes`,
      what: `Content of the image of \`${profile}\``,
      measured: image.blocks * 512,
      unit: 'bytes',
    },
    {
      id: `${profile}-size`,
      what: `Size of the image of \`${profile}\` on a card`,
      measured: image.size,
      unit: 'bytes',
    },
  ]
}

/** Run again with nothing changed. */
export const benchNothingChanged = async (checkout: Checkout): Promise<Row[]> => {
  const times: number[] = []
  for (let count = 0; count < 5; count += 1) times.push(requireSteps(await checkout.runJson(args), 0).durationMs)
  return [{ id: 'no-op', what: 'Second run, nothing changed', measured: median(times), unit: 'ms', limit: 2000 }]
}

/** The first unit, by name, that a folder of files for the image has. */
export const firstUnit = async (folder: string): Promise<string> => {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.service')).sort()
  const [name] = names
  if (name === undefined) throw new Error(`no unit below ${folder}`)
  return join(folder, name)
}

/** Edit one line in a file of the last stage and run: that stage, the end of the bake and the image are made anew. */
export const benchEdit = async (checkout: Checkout, lastStage: string): Promise<Row[]> => {
  const unit = await firstUnit(join(checkout.project.overlays, lastStage))
  const times: number[] = []
  for (let count = 0; count < 3; count += 1) {
    await appendFile(unit, `# ${count}\n`)
    times.push(requireSteps(await checkout.runJson(args), 3).durationMs)
  }
  const what = `One line edited in the last stage (\`${lastStage}\`)`
  return [{ id: 'edit-last-stage', what, measured: median(times), unit: 'ms', limit: 15_000 }]
}

/** Median time of the image step alone, in milliseconds: mirror, lint, both file systems, digests. */
export const imageStepMs = async (checkout: Checkout, profile: string): Promise<number> => {
  const times: number[] = []
  for (let count = 0; count < 3; count += 1) {
    await rm(checkout.project.images, { recursive: true, force: true })
    times.push(stepMs(requireSteps(await checkout.runJson(argsFor(profile)), 1), 'image'))
  }
  return median(times)
}
