import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { hashBytes, hashFile } from '../../builder/core/digest.ts'
import { parseStanzas, type Stanza } from '../../builder/deb/deb822.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { extractBoot, inspectBase } from '../../builder/image/open.ts'
import { readBaseStatus } from '../../builder/image/status.ts'
import { allDebs } from '../../builder/lock/debs.ts'
import { lockPath, readLock } from '../../builder/lock/file.ts'
import { type Checkout, makeCheckout } from '../support/checkout.ts'
import { leftovers } from '../support/leftovers.ts'
import { tools } from '../support/tools.ts'

const isRoot = process.getuid?.() === 0
const test = anyTest.serial as TestFn
const ifRoot = isRoot ? test : test.skip

let checkout: Checkout
test.before(async () => {
  if (isRoot) checkout = await makeCheckout()
})
test.after.always(() => checkout?.remove())

/** Let debugfs(8) do something with the root file system of an image; what it prints, to the last line feed. */
const inRoot = async (image: string, request: string, writable: string[] = []): Promise<string> => {
  const { offsetBytes } = (await inspectBase(image)).root
  const command = ['debugfs', '-R', request, `${image}?offset=${offsetBytes}`]
  return `${(await runTool(tools, command, { readOnly: [image], writable })).stdout}\n`
}

const mirror = '/srv/pibake/mirror'
const dists = `${mirror}/dists/trixie`
const indexes = ['main', 'pibake'].map((component) => `${component}/binary-arm64/Packages`)

const listedIn = async (image: string): Promise<Map<string, Stanza>> => {
  const listed = new Map<string, Stanza>()
  for (const index of indexes) {
    const packages = await inRoot(image, `cat ${dists}/${index}`)
    for (const stanza of parseStanzas(packages)) listed.set(stanza.Package ?? '', stanza)
  }
  return listed
}

ifRoot('an image that pibake baked is the base of another one, and stays as it is', async (t) => {
  t.timeout(900_000)
  const { images, root } = checkout.project
  await checkout.addProfile('lower', ['stages: [apt-mirror]'])
  const lower = await checkout.runJson(['--profile', 'lower', '--offline'])
  t.is(lower.exitCode, 0, lower.stderr.slice(-3000))
  const base = join(images, 'lower.img')
  const before = await stat(base)

  const file = { sha256: await hashFile(base), sizeBytes: before.size }
  await checkout.addProfile('upper', ['base: images/lower.img', 'stages: [apt-mirror, ssh]'], {
    base: {
      status: await readBaseStatus(tools, base),
      locked: { name: 'images/lower.img', archive: file, image: file },
    },
  })
  const upper = await checkout.runJson(['--profile', 'upper', '--offline'])
  t.is(upper.exitCode, 0, upper.stderr.slice(-3000))
  t.deepEqual(upper.started.slice(0, 1), ['base'])
  t.deepEqual(upper.started.slice(-3), ['ssh', 'finalise', 'image'])
  const image = join(images, 'upper.img')
  t.is(String(await hashFile(image)), String(upper.data.sha256))
  t.not(upper.data.sha256, lower.data.sha256)

  const after = await stat(base)
  t.deepEqual([after.mtimeMs, after.size], [before.mtimeMs, before.size])
  t.is(String(await hashFile(base)), String(lower.data.sha256))

  const info = await inspectBase(image)
  const under = await inspectBase(base)
  t.deepEqual([info.diskId, info.boot.fat.volumeId], [under.diskId, under.boot.fat.volumeId])
  t.deepEqual([info.root.offsetBytes, info.root.ext4.uuid], [under.root.offsetBytes, under.root.ext4.uuid])
  t.deepEqual(info.root.ext4.features, under.root.ext4.features)
  const checked = ['e2fsck', '-fn', `${image}?offset=${info.root.offsetBytes}`]
  await t.notThrowsAsync(runTool(tools, checked, { readOnly: [image] }))
  const status = await readBaseStatus(tools, image)
  for (const name of ['pibake-first-boot', 'pibake-ssh', 'openssh-server', 'linux-image-arm64']) {
    t.true(status.includes(`\nPackage: ${name}\nStatus: install ok installed\n`), name)
  }
  t.true((await inRoot(image, 'cat /etc/fstab')).startsWith(`PARTUUID=${info.diskId}-02 `))

  const [one, other] = [join(root, 'boot-lower'), join(root, 'boot-upper')]
  await extractBoot({ tools, image: await inspectBase(base), destination: one })
  await extractBoot({ tools, image: info, destination: other })
  t.deepEqual(await readdir(other, { recursive: true }), await readdir(one, { recursive: true }))
  t.is(await hashFile(join(other, 'config.txt')), await hashFile(join(one, 'config.txt')))
  t.deepEqual(await leftovers(root), [])

  const again = await checkout.runJson(['--profile', 'upper', '--offline'])
  t.is(again.data.ran, 0)
})

ifRoot('the mirror of the image lists its own packages and those of the mirror below, and has them', async (t) => {
  const { images, locks, root } = checkout.project
  const [base, image] = [join(images, 'lower.img'), join(images, 'upper.img')]
  const lock = await readLock(lockPath(locks, 'upper'))
  const ofUpper = new Set(lock ? allDebs(lock).map(({ name }) => name) : [])
  const [below, listed] = [await listedIn(base), await listedIn(image)]
  t.true(below.size > 100)
  t.deepEqual(
    [...below.keys()].filter((name) => !listed.has(name)),
    [],
  )
  for (const name of ['openssh-server', 'pibake-ssh']) t.deepEqual([below.has(name), listed.has(name)], [false, true])

  t.false(ofUpper.has('netbase'))
  t.deepEqual(listed.get('netbase'), below.get('netbase'))
  for (const name of ['netbase', 'openssh-server', 'pibake-apt-mirror']) {
    const { Filename, SHA256 } = listed.get(name) ?? {}
    await inRoot(image, `dump ${mirror}/${Filename} ${join(root, `${name}.deb`)}`, [root])
    t.is(String(await hashFile(join(root, `${name}.deb`))), String(SHA256), name)
  }
  const release = await inRoot(image, `cat ${dists}/Release`)
  for (const index of indexes) {
    const packages = await inRoot(image, `cat ${dists}/${index}`)
    t.true(release.includes(`\n ${hashBytes(packages)} ${Buffer.byteLength(packages)} ${index}\n`))
  }
})
