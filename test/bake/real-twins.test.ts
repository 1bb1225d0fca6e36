import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { hashFile } from '../../builder/core/digest.ts'
import { type Checkout, type JsonRun, makeCheckout } from '../support/checkout.ts'
import { leftovers } from '../support/leftovers.ts'

const isRoot = process.getuid?.() === 0
const test = anyTest.serial as TestFn
const ifRoot = isRoot ? test : test.skip

const checkouts: Checkout[] = []
let twinned = ''

test.after.always(async () => {
  for (const checkout of checkouts) await checkout.remove()
})

const bake = async (checkout: Checkout, ...more: string[]): Promise<JsonRun> =>
  checkout.runJson(['--profile', 'pub', '--offline', ...more])

const shaOf = (run: JsonRun): string => (run.exitCode === 0 ? String(run.data.sha256) : run.stderr.slice(-4000))

ifRoot('two checkouts in different folders, at once, with and without native twins, make the same image', async (t) => {
  t.timeout(1_200_000)
  const [one, other] = [await makeCheckout(), await makeCheckout()]
  checkouts.push(one, other)
  const [twins, emulated] = await Promise.all([bake(one), bake(other, '--no-twins')])
  twinned = shaOf(twins)
  t.regex(twinned, /^[0-9a-f]{64}$/)
  t.is(shaOf(emulated), twinned)
  t.is(String(await hashFile(join(other.project.images, 'pub.img'))), twinned)
  t.is(
    await hashFile(join(other.project.images, 'pub.img.bmap')),
    await hashFile(join(one.project.images, 'pub.img.bmap')),
  )
  t.log(
    `with twins ${Math.round(twins.durationMs / 1000)} s, without ${Math.round(emulated.durationMs / 1000)} s, at once`,
  )
  await other.remove()
  checkouts.pop()
})

ifRoot('two bakes at once in one checkout both succeed, and leave one whole image', async (t) => {
  t.timeout(600_000)
  const [checkout] = checkouts
  if (!checkout) throw new Error('no checkout')
  const { project } = checkout
  for (const folder of [join(project.cache, 'layers'), join(project.cache, 'derived'), project.images]) {
    await rm(folder, { recursive: true })
  }
  const [first, second] = await Promise.all([bake(checkout), bake(checkout)])
  t.is(shaOf(first), twinned)
  t.is(shaOf(second), twinned)
  t.is(String(await hashFile(join(project.images, 'pub.img'))), twinned)
  t.is((await bake(checkout)).data.ran, 0)
  t.deepEqual(await leftovers(project.root), [])
})
