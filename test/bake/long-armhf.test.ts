import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { allDebs } from '../../builder/lock/debs.ts'
import { lockPath, readLock } from '../../builder/lock/file.ts'
import { type Checkout, makeCheckout } from '../support/checkout.ts'
import { realMirror } from '../support/mirror.ts'

const found = await realMirror('trixie')
const isRoot = process.getuid?.() === 0
const test = anyTest.serial as TestFn
const real = isRoot && 'mirrors' in found ? test : test.skip
const why = 'reason' in found ? ` (skipped: ${found.reason})` : ''

let checkout: Checkout | undefined
test.after.always(() => checkout?.remove())

real(`a system of 32-bit programs is baked and boots; without native twins it is refused${why}`, async (t) => {
  t.timeout(3_600_000)
  checkout = await makeCheckout()
  const { project } = checkout
  const yaml = 'name: small\nsummary: 32 bits\narchitecture: armhf\nstages: [ssh, portal]\n'
  await writeFile(join(project.profiles, 'small.yaml'), yaml)
  // What counts here is the same on every day: security updates are left out.
  const main = 'mirrors' in found ? found.mirrors.main : ''
  const baked = await checkout.runJson(['--profile', 'small'], { wrap: ['env', `PIBAKE_SECURITY_MIRROR=${main}`] })
  t.is(baked.exitCode, 0, baked.stderr.slice(-3000))
  const lock = await readLock(lockPath(project.locks, 'small'))
  if (!lock) throw new Error('no lock')
  t.deepEqual([...new Set(allDebs(lock).map(({ architecture }) => architecture))].sort(), ['all', 'armhf'])

  const boot = await checkout.run(['test', join(project.images, 'small.img')])
  t.is(boot.exitCode, 0, boot.stdout + boot.stderr)
  t.regex(boot.stdout, /^all \d+ checks passed/m)

  await rm(join(project.cache, 'layers'), { recursive: true })
  await rm(project.images, { recursive: true })
  const emulated = await checkout.runJson(['--profile', 'small', '--offline', '--no-twins'])
  t.is(emulated.failure?.code, 'HOST_UNSUPPORTED')
})
