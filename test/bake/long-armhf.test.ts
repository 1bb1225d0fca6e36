import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { allDebs } from '../../builder/lock/debs.ts'
import { lockPath, readLock } from '../../builder/lock/file.ts'
import { type Checkout, makeCheckout } from '../support/checkout.ts'
import { realMirror } from '../support/mirror.ts'

const found = await realMirror('trixie')
const isRoot = process.getuid?.() === 0
const test = anyTest.serial as TestFn
const real = isRoot && 'mirrors' in found ? test : test.skip
const why = 'reason' in found ? ` (skipped: ${found.reason})` : ''

const checkouts: Checkout[] = []
test.after.always(async () => {
  for (const checkout of checkouts) await checkout.remove()
})

const addProfile = async (): Promise<Checkout> => {
  const checkout = await makeCheckout()
  checkouts.push(checkout)
  const yaml = 'name: small\nsummary: 32 bits\narchitecture: armhf\nstages: [ssh, portal]\n'
  await writeFile(join(checkout.project.profiles, 'small.yaml'), yaml)
  return checkout
}

real(`a system of 32-bit programs is the same with and without native twins, and boots${why}`, async (t) => {
  t.timeout(3_600_000)
  const [one, other] = [await addProfile(), await addProfile()]
  // What counts here is the same on every day: security updates are left out.
  const main = 'mirrors' in found ? found.mirrors.main : ''
  const wrap = ['env', `PIBAKE_SECURITY_MIRROR=${main}`]
  const twins = await one.runJson(['--profile', 'small'], { wrap })
  t.is(twins.exitCode, 0, twins.stderr.slice(-3000))

  const path = lockPath(one.project.locks, 'small')
  const lock = await readLock(path)
  if (!lock) throw new Error('no lock')
  t.deepEqual([...new Set(allDebs(lock).map(({ architecture }) => architecture))].sort(), ['all', 'armhf'])
  await cp(path, lockPath(other.project.locks, 'small'))
  const [from, to] = [openBlobs(one.project.cache), openBlobs(other.project.cache)]
  for (const { sha256 } of allDebs(lock)) await cp(from.blobPath(sha256), to.blobPath(sha256), { recursive: true })
  const emulated = await other.runJson(['--profile', 'small', '--offline', '--no-twins'])
  t.is(emulated.exitCode, 0, emulated.stderr.slice(-3000))
  t.is(emulated.data.sha256, twins.data.sha256)
  t.log(`with twins ${Math.round(twins.durationMs / 1000)} s, without ${Math.round(emulated.durationMs / 1000)} s`)

  const boot = await one.run(['test', join(one.project.images, 'small.img')])
  t.is(boot.exitCode, 0, boot.stdout + boot.stderr)
  t.regex(boot.stdout, /^all \d+ checks passed/m)
})
