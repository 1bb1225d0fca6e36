import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { runCommand } from '../../builder/host/command.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { lockPath, readLock } from '../../builder/lock/file.ts'
import { type Checkout, type JsonRun, makeCheckout } from '../support/checkout.ts'
import { leftovers } from '../support/leftovers.ts'
import { tools } from '../support/tools.ts'

const isRoot = process.getuid?.() === 0
const test = anyTest.serial as TestFn
const ifRoot = isRoot ? test : test.skip

let checkout: Checkout
const bake = (profile: string): Promise<JsonRun> => checkout.runJson(['--profile', profile, '--offline'])

test.before(async () => {
  if (!isRoot) return
  checkout = await makeCheckout()
  await checkout.addProfile('small', ['stages: [first-boot]'])
})
test.after.always(() => checkout?.remove())

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => [])

const nothingMade = async (): Promise<string[]> => [
  ...(await namesIn(join(checkout.project.cache, 'layers'))),
  ...(await namesIn(checkout.project.images)),
  ...(await leftovers(checkout.project.root)),
]

ifRoot('wrong input ends with status 2 and names what is wrong', async (t) => {
  const { profiles, root } = checkout.project
  await writeFile(join(profiles, 'odd.yaml'), 'name: odd\nsummary: Odd\nstages:\n  - first-boot\nhostnam: x\n')
  const odd = await checkout.run(['--profile', 'odd', '--offline'])
  t.is(odd.exitCode, 2)
  t.regex(odd.stderr, /odd\.yaml:5:1\b.*hostnam/)
  t.regex(odd.stderr, /did you mean `hostname`/i)

  const unknown = await bake('smal')
  t.is(unknown.exitCode, 2)
  t.is(unknown.failure?.code, 'UNKNOWN_NAME')
  t.regex(JSON.stringify(unknown.failure), /small/)

  await writeFile(join(root, 'not-an-image'), 'hello\n')
  const noImage = await checkout.runJson(['test', 'not-an-image'])
  t.is(noImage.exitCode, 2)
  t.is(noImage.failure?.code, 'IMAGE_INVALID')
  t.regex(noImage.failure?.message ?? '', /not-an-image/)

  const absent = await checkout.runJson(['test', 'absent.img'])
  t.is(absent.exitCode, 2)
  t.regex(absent.failure?.message ?? '', /absent\.img/)
  t.deepEqual(await nothingMade(), [])
})

ifRoot('what is missing offline is listed completely, with sizes, before any work', async (t) => {
  const { cache, locks } = checkout.project
  const lock = await readLock(lockPath(locks, 'small'))
  const away = (lock?.steps.flatMap(({ debs }) => debs) ?? []).filter((_, index) => index % 40 === 3)
  t.true(away.length >= 3)
  const pathOf = (sha256: string): string => join(cache, 'blobs', sha256.slice(0, 2), sha256)
  const kept = await Promise.all(away.map(({ sha256 }) => readFile(pathOf(sha256))))
  for (const { sha256 } of away) await rm(pathOf(sha256))
  const run = await bake('small')
  t.is(run.exitCode, 1)
  t.is(run.failure?.code, 'MISSING_OFFLINE')
  t.is(run.failure?.details.length, away.length)
  for (const { name, version, sha256 } of away) {
    t.true(
      run.failure?.details.some(
        (line) => line.includes(`${name} ${version}, `) && line.includes(sha256) && / [kM]?B,/.test(line),
      ),
      name,
    )
  }
  t.deepEqual(run.started, [])
  t.deepEqual(await nothingMade(), [])
  for (const [index, { sha256 }] of away.entries()) await writeFile(pathOf(sha256), kept[index] ?? '')
})

ifRoot('a cache on a disk that is too small: said so, and nothing half-made stays', async (t) => {
  t.timeout(300_000)
  const { cache, root } = checkout.project
  const disk = join(root, 'disk.img')
  const { stdout } = await runCommand(['du', '-sm', cache])
  const mebibytes = Number.parseInt(stdout, 10) + 180
  await runTool(tools, ['mke2fs', '-q', '-t', 'ext4', '-m', '0', '-N', '60000', '-d', cache, disk, `${mebibytes}M`], {
    readOnly: [cache],
    mounts: [{ source: root, target: root, writable: true }],
  })
  const wrap = ['unshare', '--mount', 'sh', '-c', 'mount -o loop "$0" "$1" && shift && exec "$@"', disk, cache]
  const run = await checkout.runJson(['--profile', 'small', '--offline'], { wrap })
  t.is(run.exitCode, 1, run.stderr.slice(-2000))
  t.is(run.failure?.code, 'DISK_FULL', run.stderr.slice(-2000))
  t.deepEqual(run.started, ['base'])
  const ask = async (path: string): Promise<string> =>
    (await runTool(tools, ['debugfs', '-R', `ls -p ${path}`, disk], { readOnly: [disk] })).stdout
  t.notRegex(await ask('/layers'), /\/[0-9a-f]{64}\//)
  t.notRegex(await ask('/work'), /\/\d+\.\d+\./)
  await rm(disk)
  t.deepEqual(await nothingMade(), [])
})

ifRoot(
  'a stage whose script fails is named, with the end of what it printed; the steps below it are kept',
  async (t) => {
    t.timeout(300_000)
    const { stages } = checkout.project
    await mkdir(join(stages, 'broken'))
    const yaml = ['name: broken', "version: '1.0'", 'summary: Fails', 'description: Fails.', 'needs: [first-boot]', '']
    await writeFile(join(stages, 'broken', 'stage.yaml'), yaml.join('\n'))
    await writeFile(join(stages, 'broken', 'postinst'), 'echo "the printer is on fire" >&2\nexit 3\n')
    await chmod(join(stages, 'broken', 'postinst'), 0o644)
    await checkout.addProfile('broken', ['stages: [broken]'])
    const run = await bake('broken')
    t.is(run.exitCode, 1)
    t.is(run.failure?.code, 'STAGE_FAILED', run.stderr.slice(-2000))
    t.regex(run.failure?.message ?? '', /`broken`/)
    t.true(run.failure?.details.some((line) => line.includes('the printer is on fire')))
    t.deepEqual(await leftovers(checkout.project.root), [])
    t.is((await namesIn(join(checkout.project.cache, 'layers'))).length, 2)

    await writeFile(join(stages, 'broken', 'postinst'), 'echo fine\n')
    const mended = await bake('broken')
    t.is(mended.exitCode, 0, mended.stderr.slice(-2000))
    t.deepEqual(mended.started, ['broken', 'finalise', 'image'])
  },
)

ifRoot('a stage that is edited while it is being baked is refused, and baked as it is by the next run', async (t) => {
  t.timeout(300_000)
  const { stages } = checkout.project
  await checkout.addProfile('broken', ['stages: [broken]'])
  const postinst = join(stages, 'broken', 'postinst')
  await writeFile(postinst, 'echo before\n')
  const run = checkout.start(['--profile', 'broken', '--offline'])
  await run.stepStarted('broken')
  await writeFile(postinst, 'echo after\n')
  const { exitCode, failure, stderr } = await run.ended
  t.is(exitCode, 1, stderr.slice(-2000))
  t.is(failure?.code, 'STAGE_CHANGED', stderr.slice(-2000))
  t.regex(failure?.message ?? '', /`broken`/)
  const again = await bake('broken')
  t.is(again.exitCode, 0, again.stderr.slice(-2000))
  t.deepEqual(again.started, ['broken', 'finalise', 'image'])
})

ifRoot('images on a disk that is too small: said so, with both sizes, and the older image stays', async (t) => {
  t.timeout(300_000)
  const { images, profiles } = checkout.project
  const before = await stat(join(images, 'broken.img'))
  await writeFile(
    join(profiles, 'broken.yaml'),
    'name: broken\nsummary: The profile broken\nstages: [broken]\nhostname: other\n',
  )
  const wrap = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs -o size=100m tmpfs "$0" && exec "$@"', images]
  const run = await checkout.runJson(['--profile', 'broken', '--offline'], { wrap })
  t.is(run.exitCode, 1)
  t.is(run.failure?.code, 'DISK_FULL', run.stderr.slice(-2000))
  t.regex(run.failure?.message ?? '', /needs .*MB.* has .*MB/)
  const after = await stat(join(images, 'broken.img'))
  t.deepEqual([after.ino, after.mtimeMs], [before.ino, before.mtimeMs])
  t.deepEqual(await leftovers(checkout.project.root), [])
})
