import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { isFailure, type TestReport } from '../../builder/boot/report.ts'
import { hashFile, type Sha256 } from '../../builder/core/digest.ts'
import { runCommand } from '../../builder/host/command.ts'
import { parseBmap } from '../../builder/image/read-bmap.ts'
import { verifyKit } from '../../builder/kit/verify.ts'
import { makeDevice, noDevices, type TestDevice } from '../support/block-device.ts'
import { type Checkout, makeCheckout } from '../support/checkout.ts'
import { leftovers } from '../support/leftovers.ts'
import { realMirror } from '../support/mirror.ts'
import { makeRawImage } from '../support/raw-image.ts'
import { type DebianSuite, makeDebian } from './_debian.ts'
import { type FreshRun, runOnFresh } from './_fresh.ts'
import { never } from './_kit.ts'
import { hut, makeKitOf, runFromStick } from './_machine.ts'

const test = anyTest.serial as TestFn
const suites = ['bookworm', 'trixie'] as const
const mirrors = { bookworm: await realMirror('bookworm'), trixie: await realMirror('trixie') }

/** Where pibake unpacks itself for root, and bakes: of a fresh machine nothing else of it is looked at. */
const desk = 'var/lib/pibake'
/** What is baked: never before, neither there nor in the checkout that the stick comes from. */
const profile = 'mirror'

let checkout: Checkout
let fingerprint: string
/** The stick, and a copy of a copy of it. */
const sticks = { stick: '', 'copy of a copy': '' }
/** Of the image that the stick carries. */
let carried: Buffer
/** Of the image that the first of the machines baked. */
let bakedDigest: Sha256 | undefined
/** Roots of fresh systems, to be copied. */
const fresh: Partial<Record<DebianSuite, string>> = {}

const folderFor = (name: string): Promise<string> => mkdtemp(join(checkout.project.root, `${name}-`))

/** Copy a kit with the pibake that is on it. */
const copyKit = async (from: string, to: string): Promise<void> => {
  const folder = await folderFor('copying')
  await runFromStick(from, join(folder, 'desk'), ['kit', 'copy', to])
  await rm(folder, { recursive: true })
}

test.before(async (t) => {
  t.timeout(1_800_000)
  if (noDevices !== undefined) return
  checkout = await makeCheckout()
  const { project, addProfile, runJson } = checkout
  const fetched = await runJson(['fetch', '--profile', profile, '--frozen'])
  if (fetched.exitCode !== 0) throw new Error(`\`${profile}\` was not fetched:\n${fetched.stderr}`)
  await addProfile('hut', hut)
  await mkdir(project.images)
  const image = await makeRawImage(await folderFor('image'))
  carried = await readFile(image)
  await writeFile(join(project.images, 'hut.img.zst'), zstdCompressSync(carried))
  sticks.stick = await folderFor('stick')
  fingerprint = await makeKitOf(checkout, sticks.stick, [profile, 'hut'])
  const copied = await folderFor('copied')
  sticks['copy of a copy'] = await folderFor('copied-again')
  await copyKit(sticks.stick, copied)
  await copyKit(copied, sticks['copy of a copy'])
  await rm(copied, { recursive: true })
  for (const suite of suites) {
    const found = mirrors[suite]
    if (!('mirrors' in found)) continue
    const cache = join(project.root, 'debian')
    fresh[suite] = await makeDebian(await folderFor(suite), { suite, mirrors: found.mirrors, cache })
  }
})
test.after.always(async () => {
  await checkout?.remove()
})

/** Hold a device against a block map: every mapped block is there as the image has it. Returns how many bytes that are. */
const compareMapped = async (t: ExecutionContext, { file }: TestDevice, map: string): Promise<number> => {
  const { extents, algorithm } = parseBmap(await readFile(map, 'utf8'), map)
  await using device = await open(file)
  let mapped = 0
  for (const { startBytes, endBytes, checksum } of extents) {
    const bytes = Buffer.alloc(endBytes - startBytes)
    await device.read(bytes, 0, bytes.length, startBytes)
    t.is(checksum, createHash(algorithm).update(bytes).digest('hex'), `the bytes from ${startBytes}`)
    mapped += bytes.length
  }
  return mapped
}

const tellDone = ({ stdout }: FreshRun): string[] =>
  (JSON.parse(stdout) as { cards: { outcome: string }[] }).cards.map(({ outcome }) => outcome)

const seconds = (sinceMs: number): string => `${Math.round((performance.now() - sinceMs) / 1000)} s`

/** Prints what a fresh machine must not have: programs that pibake brings, the checkout, and a network that is up. */
const lookAround = `for name in node npm curl wget git xz python3 qemu-system-aarch64; do command -v $name || :; done
ls -d "$1" /old 2>/dev/null || :
for path in /sys/class/net/*; do
  name=\${path##*/}
  read -r flags <"$path/flags"
  [ "$name" = lo ] && [ $((flags & 1)) = 0 ] || echo "interface $name is $flags"
done
cat /proc/net/route /proc/net/ipv6_route | grep -v -e ^Iface -e ' lo$' || :`

const tryOn = async (t: ExecutionContext, suite: DebianSuite, from: keyof typeof sticks): Promise<void> => {
  t.timeout(5_400_000)
  const original = fresh[suite]
  if (original === undefined) return t.fail('there is no fresh system')
  const stick = sticks[from]
  const folder = await folderFor(`machine-${suite}`)
  const root = join(folder, 'root')
  await runCommand(['cp', '-a', original, root])
  t.regex(await readFile(join(root, 'etc/debian_version'), 'utf8'), suite === 'bookworm' ? /^12\./ : /^13\./)
  const on = (...argv: string[]): Promise<FreshRun> => runOnFresh(root, { stick, argv, timeoutMs: 1_800_000 })
  const pibake = (...args: string[]): Promise<FreshRun> => on('sh', '/media/stick/pibake', ...args, '--json')
  const works = async (...args: string[]): Promise<FreshRun> => {
    const startedAt = performance.now()
    const run = await pibake(...args)
    t.is(run.exitCode, 0, run.stderr.slice(-3000))
    t.log(`pibake ${args.join(' ')}: ${seconds(startedAt)}`)
    return run
  }
  const bare = await on('sh', '-c', lookAround, 'sh', checkout.project.root)
  t.deepEqual([bare.exitCode, bare.stdout], [0, ''], bare.stderr)

  const [card, other] = [await makeDevice(t, 4 * 2 ** 30), await makeDevice(t, 64 << 20)]
  const early = await pibake('flash', profile, '--to', card.path, '--yes')
  t.is(early.exitCode, 2, 'the code of pibake is that of the launcher')
  t.regex(early.stderr, /There is no image of the profile `mirror` yet/)

  const baked = JSON.parse((await works('--profile', profile)).stdout) as { image: string; sha256: Sha256; ran: number }
  t.is(baked.image, `images/${profile}.img`)
  t.true(baked.ran > 5, 'each step ran here')
  const image = join(root, desk, baked.image)
  t.is(await hashFile(image), baked.sha256)
  bakedDigest ??= baked.sha256
  t.is(baked.sha256, bakedDigest, 'the same image on each machine')

  const report = JSON.parse((await works('test', join('/', desk, baked.image))).stdout) as TestReport
  t.true(report.checks.length > 5)
  t.deepEqual(report.checks.filter(isFailure), [])

  t.deepEqual(tellDone(await works('flash', profile, '--to', card.path, '--yes')), ['done'])
  const mapped = await compareMapped(t, card, `${image}.bmap`)
  const { size } = await stat(image)
  t.true(mapped > size / 4 && mapped < size)
  t.log(`${report.checks.length} checks passed; ${mapped >> 20} of ${size >> 20} MiB are on the card`)

  t.deepEqual(tellDone(await works('flash', 'hut', '--to', other.path, '--yes')), ['done'])
  t.true((await readFile(other.file)).subarray(0, carried.length).equals(carried), 'the image that the stick carries')

  t.deepEqual(await leftovers(join(root, desk)), [])
  await verifyKit(stick, { expected: fingerprint, emit: () => {}, signal: never })
  await rm(folder, { recursive: true })
}

const whyNot = (suite: DebianSuite): string | undefined => {
  const found = mirrors[suite]
  return noDevices ?? ('reason' in found ? found.reason : undefined)
}

for (const from of ['stick', 'copy of a copy'] as const) {
  for (const [suite, release] of [
    ['bookworm', 12],
    ['trixie', 13],
  ] as const) {
    const why = whyNot(suite)
    const title = `a fresh Debian ${release} with nothing but the ${from} bakes, boots and flashes`
    const ifReady = why === undefined ? test : test.skip
    ifReady(why === undefined ? title : `${title} (skipped: ${why})`, (t) => tryOn(t, suite, from))
  }
}
