import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { hashFile } from '../../builder/core/digest.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { extractBoot, inspectBase } from '../../builder/image/open.ts'
import { readBaseStatus } from '../../builder/image/status.ts'
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

ifRoot('an image that pibake baked is the base of another one, and stays as it is', async (t) => {
  t.timeout(900_000)
  const { images, root } = checkout.project
  await checkout.addProfile('lower', ['stages: [first-boot]'])
  const lower = await checkout.runJson(['--profile', 'lower', '--offline'])
  t.is(lower.exitCode, 0, lower.stderr.slice(-3000))
  const base = join(images, 'lower.img')
  const before = await stat(base)

  await checkout.addProfile('upper', ['base: images/lower.img', 'stages: [ssh]'], {
    status: await readBaseStatus(tools, base),
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
  t.not(info.diskId, (await inspectBase(base)).diskId)
  const checked = ['e2fsck', '-fn', `${image}?offset=${info.root.offsetBytes}`]
  await t.notThrowsAsync(runTool(tools, checked, { readOnly: [image] }))
  const status = await readBaseStatus(tools, image)
  for (const name of ['pibake-first-boot', 'pibake-ssh', 'openssh-server', 'linux-image-arm64']) {
    t.true(status.includes(`\nPackage: ${name}\nStatus: install ok installed\n`), name)
  }
  const cat = async (path: string): Promise<string> =>
    (
      await runTool(tools, ['debugfs', '-R', `cat ${path}`, `${image}?offset=${info.root.offsetBytes}`], {
        readOnly: [image],
      })
    ).stdout
  t.true((await cat('/etc/fstab')).startsWith(`PARTUUID=${info.diskId}-02 `))

  const [one, other] = [join(root, 'boot-lower'), join(root, 'boot-upper')]
  await extractBoot({ tools, image: await inspectBase(base), destination: one })
  await extractBoot({ tools, image: info, destination: other })
  t.deepEqual(await readdir(other, { recursive: true }), await readdir(one, { recursive: true }))
  t.is(await hashFile(join(other, 'config.txt')), await hashFile(join(one, 'config.txt')))
  t.deepEqual(await leftovers(root), [])

  const again = await checkout.runJson(['--profile', 'upper', '--offline'])
  t.is(again.data.ran, 0)
})
