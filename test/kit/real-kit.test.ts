import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { runCommand } from '../../builder/host/command.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { placeOn } from '../../builder/kit/drive.ts'
import { kitPaths } from '../../builder/kit/manifest.ts'
import { verifyKit } from '../../builder/kit/verify.ts'
import { makeDevice, noDevices } from '../support/block-device.ts'
import { type Checkout, makeCheckout } from '../support/checkout.ts'
import { leftovers } from '../support/leftovers.ts'
import { tools } from '../support/tools.ts'
import { never } from './_kit.ts'
import { hut, makeKitOf, ownPackages, runFromStick } from './_machine.ts'

const test = anyTest.serial as TestFn
const isRoot = process.getuid?.() === 0
const ifRoot = isRoot ? test : test.skip
const ifDevices = noDevices === undefined ? test : test.skip
const mib = 1 << 20

let checkout: Checkout
/** A kit of `hut`, below the checkout. */
let stick: string
let fingerprint: string

test.before(async (t) => {
  t.timeout(600_000)
  if (!isRoot) return
  checkout = await makeCheckout()
  await checkout.addProfile('hut', hut)
  stick = join(checkout.project.root, 'stick')
  fingerprint = await makeKitOf(checkout, stick, ['hut'])
})
test.after.always(async () => {
  if (isRoot) await checkout?.remove()
})

const folder = (): Promise<string> => mkdtemp(join(checkout.project.root, 'test-'))

const check = (path: string) => verifyKit(path, { expected: fingerprint, emit: () => {}, signal: never })

ifRoot('a kit is whole, and sha256sum and gpgv of any machine say so too', async (t) => {
  const { kit } = await check(stick)
  t.deepEqual(kit.manifest.profiles, ['hut'])
  await runCommand(['sha256sum', '--check', '--strict', '--quiet', kitPaths.sums], { cwd: stick })
  const { stdout: keyring } = await runTool(
    tools,
    ['sh', '-c', `gpg --dearmor <${join(stick, kitPaths.key)} | base64`],
    {
      readOnly: [stick],
    },
  )
  const ring = join(await folder(), 'ring.pgp')
  await writeFile(ring, Buffer.from(keyring, 'base64'))
  const gpgv = [
    'gpgv',
    '--status-fd',
    '1',
    '--keyring',
    ring,
    join(stick, kitPaths.signature),
    join(stick, kitPaths.sums),
  ]
  const { stdout } = await runTool(tools, gpgv, { readOnly: [stick, ring] })
  t.true(stdout.includes(`VALIDSIG ${fingerprint}`), stdout)
})

/** Change one bit in the middle of a file; the second time it is as it was. */
const flip = async (path: string): Promise<void> => {
  await using file = await open(path, 'r+')
  const at = Math.floor((await file.stat()).size / 2)
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at)
  await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, at)
}

ifRoot('one bit that has changed is noticed wherever it is, and the file is named', async (t) => {
  t.timeout(600_000)
  const { files } = (await check(stick)).kit.manifest
  const deb = files.filter(({ path }) => path.startsWith('pool/')).sort((a, b) => b.sizeBytes - a.sizeBytes)[0]
  const plain = ['pibake', 'README.txt', 'index.html', 'kit/pibake.tar.gz', 'dists/trixie/InRelease', deb?.path ?? '']
  const signed = [kitPaths.manifest, kitPaths.sums, kitPaths.signature, kitPaths.key]
  const verify = () => checkout.runJson(['kit', 'verify', stick])
  for (const path of [...plain, ...signed]) {
    await flip(join(stick, path))
    const { exitCode, failure } = await verify()
    t.deepEqual([exitCode, failure?.code], [1, 'KIT_INVALID'], path)
    if (plain.includes(path)) t.true(failure?.message.includes(`is damaged: \`${path}\` `), failure?.message)
    await flip(join(stick, path))
  }
  t.is((await verify()).exitCode, 0)
})

ifRoot('a copy of one that is damaged fails, and nobody is told to go on with it', async (t) => {
  const path = join(stick, 'kit/pibake.tar.gz')
  const copied = join(await folder(), 'copied')
  const copy = () => checkout.run(['kit', 'copy', copied, '--from', stick])
  await flip(path)
  const failed = await copy()
  await flip(path)
  t.is(failed.exitCode, 1)
  t.regex(failed.stderr, /`kit\/pibake\.tar\.gz` .* is damaged/)
  t.notRegex(failed.stdout, /Next:/)
  await t.throwsAsync(check(copied), { message: /is not finished/ })
  const mended = await copy()
  t.is(mended.exitCode, 0, mended.stderr)
  t.true(mended.stdout.includes(`pibake kit verify ${copied}`), mended.stdout)
  await check(copied)
})

ifRoot('the same kit again is the same bytes: nothing is copied', async (t) => {
  const { data, exitCode } = await checkout.runJson([
    ...['kit', stick, '--profile', 'hut', '--key', join(checkout.project.root, 'kit-key.asc')],
  ])
  t.is(exitCode, 0)
  const [result] = data.sticks as { copied: { files: number }; removed: number }[]
  t.deepEqual([result?.copied.files, result?.removed], [0, 0])
})

ifRoot('from the stick alone, without network, a bake that never ran here lacks nothing', async (t) => {
  const desk = join(await folder(), 'desk')
  const plan = JSON.parse(await runFromStick(stick, desk, ['plan', '--profile', 'hut', '--json'])) as {
    missing: unknown[]
    steps: { action: string }[]
  }
  t.deepEqual(plan.missing, [])
  t.true(plan.steps.every(({ action }) => action === 'run'))
  const kit = JSON.parse(await runFromStick(stick, desk, ['kit', 'verify', '--json'])) as { fingerprint: string }
  t.is(kit.fingerprint, fingerprint)
  const copied = join(await folder(), 'copied')
  await runFromStick(stick, desk, ['kit', 'copy', copied])
  await check(copied)
})

/** Settings of an apt of the tools' that knows of nothing but a stick. */
const aptConf = (work: string): string =>
  [
    'APT::Architecture "arm64";',
    'APT::Architectures { "arm64"; };',
    'APT::Sandbox::User "root";',
    `Dir::State "${work}/state";`,
    `Dir::State::status "${work}/status";`,
    `Dir::Cache "${work}/cache";`,
    `Dir::Etc::sourcelist "${work}/sources.list";`,
    'Dir::Etc::sourceparts "/dev/null";',
    'Dir::Etc::trusted "/dev/null";',
    'Dir::Etc::trustedparts "/dev/null";',
    '',
  ].join('\n')

const runApt = async (source: string, ...commands: (readonly string[])[]): Promise<string> => {
  const work = await folder()
  for (const name of ['state/lists/partial', 'cache/archives/partial'])
    await mkdir(join(work, name), { recursive: true })
  await writeFile(join(work, 'status'), '')
  await writeFile(
    join(work, 'sources.list'),
    `deb [signed-by=${join(source, kitPaths.key)}] file:${source} trixie main pibake\n`,
  )
  await writeFile(join(work, 'apt.conf'), aptConf(work))
  let said = ''
  for (const command of commands) {
    const options = { env: { APT_CONFIG: join(work, 'apt.conf') }, readOnly: [source], writable: [work] }
    said += (await runTool(tools, ['apt-get', '-q', ...command], options)).stdout
  }
  return said
}

ifRoot('apt takes the stick for a signed source, and finds every stage with all that it needs', async (t) => {
  const packages = await ownPackages(checkout.project, 'hut')
  const said = await runApt(stick, ['update', '--error-on=any'], ['install', '--simulate', ...packages])
  for (const name of packages) t.regex(said, new RegExp(`^Inst ${name} `, 'm'))
  t.regex(said, /^Inst openssh-server /m)
  const uris = await runApt(stick, ['update', '--error-on=any'], ['install', '--print-uris', '--yes', ...packages])
  const places = [...uris.matchAll(/^'file:([^']+)'/gm)].map(([, path]) => decodeURIComponent(path ?? ''))
  t.true(places.length > packages.length)
  for (const path of places) await t.notThrowsAsync(readFile(path), path)
})

ifRoot('a list of packages that was changed is refused by apt', async (t) => {
  const changed = join(await folder(), 'changed')
  await runCommand(['cp', '-a', stick, changed])
  const path = join(changed, 'dists/trixie/InRelease')
  await writeFile(path, (await readFile(path, 'utf8')).replace('Origin: pibake', 'Origin: pybake'))
  await t.throwsAsync(runApt(changed, ['update', '--error-on=any']))
})

ifRoot('FAT carries all of it: through a FAT file system and back it is whole, and starts', async (t) => {
  const work = await folder()
  const image = join(work, 'fat.img')
  {
    await using file = await open(image, 'w')
    await file.truncate(600 * mib)
  }
  const back = join(work, 'back')
  await mkdir(back)
  const script = [
    'mkfs.fat -F 32 "$1" >/dev/null',
    'mcopy -i "$1" -s -Q -b "$2"/* ::',
    'mcopy -i "$1" -s -Q -b -n "::*" "$3"',
  ].join(' && ')
  await runTool(tools, ['sh', '-c', script, 'sh', image, stick, back], { writable: [work], readOnly: [stick] })
  await rm(image)
  await check(back)
  const profiles = await runFromStick(back, join(work, 'desk'), ['profiles', '--json'])
  t.regex(profiles, /"hut"/)
})

ifDevices('a drive gets a file system with the kit on it, and nothing stays mounted', async (t) => {
  t.timeout(300_000)
  const { path } = await makeDevice(t, 1024 * mib)
  const { exitCode, stderr, data } = await checkout.runJson(['kit', 'copy', path, '--from', stick, '--yes'])
  t.is(exitCode, 0, stderr)
  const [result] = data.sticks as { name: string; outcome: string }[]
  t.deepEqual(result?.outcome, 'done')
  t.deepEqual(await leftovers(checkout.project.root), [])
  const place = placeOn({ sizeBytes: 1024 * mib })
  const back = join(await folder(), 'back')
  const script = 'e2fsck -fn "$1?offset=$2" && debugfs -R "rdump / $3" "$1?offset=$2"'
  await mkdir(back)
  await runTool(tools, ['sh', '-c', script, 'sh', path, String(place.offsetBytes), back], {
    devices: [path],
    writable: [back],
  })
  await rm(join(back, 'lost+found'), { recursive: true, force: true })
  await check(back)
})

ifDevices('a drive that is not to be written is refused before anything is', async (t) => {
  const { path, file } = await makeDevice(t, 8 * mib)
  const start = (await readFile(file)).subarray(0, mib)
  const refused = await checkout.runJson(['kit', 'copy', path, path, '--from', stick, '--yes'])
  t.is(refused.exitCode, 2)
  const unasked = await checkout.runJson(['kit', 'copy', path, '--from', stick])
  t.is(unasked.exitCode, 2)
  t.deepEqual((await readFile(file)).subarray(0, mib), start)
})
