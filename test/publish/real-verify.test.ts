import { open } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { runCommand } from '../../builder/host/command.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { inspectBase, mtoolsDrive } from '../../builder/image/open.ts'
import type { ImageDiff } from '../../builder/inspect/diff.ts'
import { type Checkout, makeCheckout } from '../support/checkout.ts'
import { leftovers } from '../support/leftovers.ts'
import { tools } from '../support/tools.ts'

const isRoot = process.getuid?.() === 0
const test = anyTest.serial as TestFn
const ifRoot = isRoot ? test : test.skip

let checkout: Checkout
let image = ''
let sha256: unknown

test.before(async (t) => {
  if (!isRoot) return
  t.timeout(900_000)
  checkout = await makeCheckout({ isWarm: true })
  await checkout.addProfile('small', ['stages: [first-boot]'])
  const { data, stderr } = await checkout.runJson(['--profile', 'small', '--offline'])
  sha256 = data.sha256
  t.is(typeof sha256, 'string', stderr.slice(-4000))
  image = join(checkout.project.root, String(data.image))
})
test.after.always(() => checkout?.remove())

ifRoot("another user's settings, time zone and language bake the same image from the lock alone", async (t) => {
  t.timeout(1_200_000)
  const elsewhere = [
    'TZ=Pacific/Kiritimati',
    'LANG=tr_TR.UTF-8',
    'LC_ALL=tr_TR.UTF-8',
    'HOME=/nonexistent',
    'USER=başka',
  ]
  const wrap = ['env', ...elsewhere, 'sh', '-c', 'umask 077 && cd / && exec "$@"', 'sh']
  const { exitCode, data, started, stderr } = await checkout.runJson(['verify', image], { wrap })
  t.is(exitCode, 0, stderr.slice(-4000))
  t.true(started.includes('base') && started.includes('first-boot'), 'every step was baked anew')
  const same = { image: 'images/small.img', profile: 'small', target: 'rpi-arm64', isSame: true }
  t.deepEqual(data, { ...same, sha256, rebuilt: sha256 })
  t.deepEqual(await leftovers(checkout.project.root), [])
})

ifRoot('what was changed in an image is named: a file of the FAT, mode and content of files of the ext4', async (t) => {
  t.timeout(600_000)
  const changed = join(checkout.project.images, 'changed.img')
  await runCommand(['cp', '--sparse=always', image, changed])
  const { boot, root } = await inspectBase(changed)
  const options = { writable: [changed], env: { MTOOLS_SKIP_CHECK: '1' } }
  await runTool(tools, ['mcopy', '-o', '-i', mtoolsDrive(changed, boot.offsetBytes), '-', '::config.txt'], {
    ...options,
    input: 'arm_64bit=0\n',
  })
  const edits = 'set_inode_field /etc/hostname mode 0100600\nset_inode_field /etc/hosts uid 7\nrm /etc/debian_version\n'
  await runTool(tools, ['debugfs', '-w', '-f', '-', `${changed}?offset=${root.offsetBytes}`], {
    ...options,
    input: edits,
  })

  const { exitCode, data, failure, stderr } = await checkout.runJson([
    ...['verify', changed, '--profile', 'small'],
    '--cached',
  ])
  t.is(exitCode, 1, stderr.slice(-4000))
  t.is(failure?.code, 'IMAGE_DIFFERS')
  t.deepEqual(
    (data.diff as ImageDiff).entries.map(({ partition, path, change, aspects }) => [
      partition,
      path,
      change,
      aspects.filter((aspect) => aspect !== 'time'),
    ]),
    [
      [1, '/config.txt', 'changed', ['content']],
      [2, '/etc/debian_version', 'removed', []],
      [2, '/etc/hostname', 'changed', ['mode']],
      [2, '/etc/hosts', 'changed', ['owner']],
    ],
  )
  const { stdout } = await checkout.run(['verify', changed, '--profile', 'small', '--cached'])
  t.regex(stdout, /1:\/config\.txt +content/)
  t.regex(stdout, /2:\/etc\/hostname +mode/)
})

ifRoot('bytes that belong to no file are found as well', async (t) => {
  t.timeout(600_000)
  const changed = join(checkout.project.images, 'changed.img')
  await runCommand(['cp', '--sparse=always', image, changed])
  await using file = await open(changed, 'r+')
  await file.write(Buffer.from('x'), 0, 1, 5 << 20)
  const { exitCode, data, failure } = await checkout.runJson(['verify', changed, '--profile', 'small', '--cached'])
  t.is(exitCode, 1)
  t.is(failure?.code, 'IMAGE_DIFFERS')
  t.deepEqual(data.first, { offsetBytes: 5 << 20 })
  t.true((data.diff as ImageDiff).isSame)
})
