import { copyFile, open, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import type { Sha256 } from '../../builder/core/digest.ts'
import { lockPath, readLock } from '../../builder/lock/file.ts'
import type { Lock } from '../../builder/lock/schema.ts'
import { type Checkout, detach, type JsonRun, makeCheckout } from '../support/checkout.ts'
import { leftovers } from '../support/leftovers.ts'
import { realMirror } from '../support/mirror.ts'
import { checkout as original } from '../support/tools.ts'

const isRoot = process.getuid?.() === 0
const test = anyTest.serial as TestFn
const ifRoot = isRoot ? test : test.skip

let checkout: Checkout
let lock: Lock
let sha256: unknown

const bake = (): Promise<JsonRun> => checkout.runJson(['--profile', 'small', '--offline'])

test.before(async () => {
  if (!isRoot) return
  checkout = await makeCheckout()
  await checkout.addProfile('small', ['stages: [ssh, portal, ssb-pub]'])
  const read = await readLock(lockPath(checkout.project.locks, 'small'))
  if (!read) throw new Error('no lock')
  lock = read
})
test.after.always(() => checkout?.remove())

/** Flip the lowest bit of the byte in the middle; size and modification time stay. */
const flipByte = async (path: string): Promise<void> => {
  const { size, atime, mtime } = await stat(path)
  {
    await using file = await open(path, 'r+')
    const at = Math.floor(size / 2)
    const byte = Buffer.alloc(1)
    await file.read(byte, 0, 1, at)
    await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at)
  }
  await utimes(path, atime, mtime)
}

const blobPath = (cache: string, digest: Sha256): string => join(cache, 'blobs', digest.slice(0, 2), digest)

const corruptBlob = async (digest: Sha256): Promise<void> => {
  const path = blobPath(checkout.project.cache, digest)
  await detach(path)
  await flipByte(path)
}

const bringBack = (digest: Sha256): Promise<void> =>
  copyFile(blobPath(join(original, 'packages-cache'), digest), blobPath(checkout.project.cache, digest))

const layersOf = (): Promise<string[]> => readdir(join(checkout.project.cache, 'layers')).catch(() => [])

ifRoot('a flipped byte in a package is found and named before anything is made of it', async (t) => {
  t.timeout(600_000)
  const deb = lock.steps[0]?.debs.find(({ name }) => name === 'bash')
  if (!deb) throw new Error('bash is not locked')
  await corruptBlob(deb.sha256)
  const run = await bake()
  t.is(run.exitCode, 1)
  t.is(run.failure?.code, 'CACHE_CORRUPT')
  t.true(run.failure?.message.includes(`bash ${deb.version}`), run.failure?.message)
  t.deepEqual(await layersOf(), [])

  const second = await bake()
  t.is(second.exitCode, 1)
  t.is(second.failure?.code, 'MISSING_OFFLINE')
  t.true(second.failure?.message.includes(`bash ${deb.version}`))
  t.true(second.failure?.hint.includes('pibake fetch'))
  t.deepEqual(second.started, [])

  const mirror = await realMirror('trixie')
  if ('reason' in mirror) {
    t.log(`put back by hand: ${mirror.reason}`)
    await bringBack(deb.sha256)
  } else {
    const fetched = await checkout.runJson(['fetch', '--profile', 'pub', '--frozen'])
    t.is(fetched.exitCode, 0, fetched.stderr.slice(-2000))
  }
})

ifRoot('a flipped byte in an npm package is found and named before its stage is built', async (t) => {
  t.timeout(600_000)
  const npm = lock.npm['ssb-pub']?.[7]
  if (!npm) throw new Error('no npm package is locked')
  await corruptBlob(npm.sha256)
  const run = await bake()
  t.is(run.exitCode, 1)
  t.is(run.failure?.code, 'CACHE_CORRUPT')
  t.true(run.failure?.message.includes(npm.name), run.failure?.message)
  t.is(run.started.at(-1), 'ssb-pub')
  t.deepEqual(await readdir(join(checkout.project.images)).catch(() => []), [])
  await bringBack(npm.sha256)
  const healed = await bake()
  t.is(healed.exitCode, 0, healed.stderr.slice(-2000))
  t.deepEqual(healed.started, ['ssb-pub', 'finalise', 'image'])
  sha256 = healed.data.sha256
})

ifRoot('a flipped byte in a built stage package is found and named; the next run builds it anew', async (t) => {
  t.timeout(600_000)
  const { cache, images } = checkout.project
  let path: string | undefined
  for (const key of await readdir(join(cache, 'derived'))) {
    const record = await readFile(join(cache, 'derived', key, 'record.json'), 'utf8')
    if (record.includes('`ssh`')) path = join(cache, 'derived', key, 'file')
  }
  await flipByte(path ?? '')
  await rm(images, { recursive: true })
  const run = await bake()
  t.is(run.exitCode, 1)
  t.is(run.failure?.code, 'CACHE_CORRUPT')
  t.true(run.failure?.message.includes('the package of stage `ssh`'), run.failure?.message)
  const healed = await bake()
  t.is(healed.data.sha256, sha256, healed.stderr.slice(-2000))
})

ifRoot('a flipped byte in a sealed layer is found and named; the next run bakes that layer anew', async (t) => {
  t.timeout(600_000)
  const { cache, images } = checkout.project
  const plan = await checkout.run(['plan', '--profile', 'small', '--json'])
  const { steps } = JSON.parse(plan.stdout) as { steps: { id: string; key: string }[] }
  const key = steps.find(({ id }) => id === 'ssh')?.key ?? ''
  await flipByte(join(cache, 'layers', key, 'upper/usr/sbin/sshd'))
  await rm(images, { recursive: true })
  const run = await bake()
  t.is(run.exitCode, 1)
  t.is(run.failure?.code, 'CACHE_CORRUPT')
  t.true(run.failure?.message.includes('the layer of step `ssh`'), run.failure?.message)
  t.false((await layersOf()).includes(key))
  const healed = await bake()
  t.deepEqual(healed.started, ['ssh', 'image'])
  t.is(healed.data.sha256, sha256)
  t.deepEqual(await leftovers(checkout.project.root), [])
})
