import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import anyTest, { type TestFn } from 'ava'
import { type Checkout, makeCheckout } from '../support/checkout.ts'
import { leftovers } from '../support/leftovers.ts'

const isRoot = process.getuid?.() === 0
const test = anyTest.serial as TestFn
const ifRoot = isRoot ? test : test.skip

const args = ['--profile', 'small', '--offline']
let checkout: Checkout
let undisturbed: unknown
let keys: ReadonlyMap<string, string>

test.before(async (t) => {
  t.timeout(600_000)
  if (!isRoot) return
  checkout = await makeCheckout()
  await checkout.addProfile('small', ['stages: [ssh, portal, ssb-pub]'])
  const run = await checkout.runJson(args)
  if (run.exitCode !== 0) throw new Error(run.stderr)
  undisturbed = run.data.sha256
  const plan = await checkout.run(['plan', '--profile', 'small', '--json'])
  const { steps } = JSON.parse(plan.stdout) as { steps: { id: string; key: string }[] }
  keys = new Map(steps.map(({ id, key }) => [id, key]))
})
test.after.always(() => checkout?.remove())

/** Take the results of a step and of all above it away, so that the next bake runs from there. */
const forget = async (step: string): Promise<void> => {
  const { cache, images } = checkout.project
  const ids = [...keys.keys()]
  for (const id of ids.slice(ids.indexOf(step)))
    await rm(join(cache, 'layers', keys.get(id) ?? ''), { recursive: true, force: true })
  await rm(images, { recursive: true, force: true })
  if (step === 'ssb-pub') await rm(join(cache, 'derived'), { recursive: true })
}

/** Moments of a bake: a step, and milliseconds after it has begun. */
const moments: readonly (readonly [step: string, afterMs: number])[] = [
  ['base', 0],
  ['base', 2500],
  ['base', 9000],
  ['first-boot', 150],
  ['ssh', 700],
  ['ssb-pub', 300],
  ['ssb-pub', 2500],
  ['finalise', 50],
  ['image', 400],
  ['image', 2500],
]

const imageNames = async (): Promise<string[]> =>
  (await readdir(checkout.project.images).catch(() => [])).filter((name) => name.startsWith('small'))

for (const [name, exitCode] of [
  ['SIGINT', 130],
  ['SIGKILL', 137],
] as const) {
  ifRoot(
    `${name} at ten moments of a bake leaves nothing behind, and the next bake makes the same image`,
    async (t) => {
      t.timeout(900_000)
      const { root } = checkout.project
      let ended = 0
      for (const [step, afterMs] of moments) {
        await forget(step)
        const run = checkout.start(args)
        await run.stepStarted(step)
        await sleep(afterMs)
        process.kill(run.pid, name)
        const { exitCode: code, stderr } = await run.ended
        if (code === exitCode) ended += 1
        t.true(code === exitCode, `${step} + ${afterMs} ms: exit code ${code}\n${stderr.slice(-1000)}`)
        if (name === 'SIGKILL') {
          await sleep(300)
          t.is((await checkout.run(['stages'])).exitCode, 0)
        }
        t.deepEqual(await leftovers(root), [], `${step} + ${afterMs} ms`)
        t.deepEqual(await imageNames(), [], `${step} + ${afterMs} ms`)
      }
      t.is(ended, moments.length)
      const { data, stderr } = await checkout.runJson(args)
      t.is(data.sha256, undisturbed, stderr.slice(-2000))
      t.deepEqual(await leftovers(root), [])
    },
  )
}
