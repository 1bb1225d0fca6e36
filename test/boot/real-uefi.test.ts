import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { bootImage } from '../../builder/boot/boot.ts'
import { collectChecks, runChecks } from '../../builder/boot/checks.ts'
import { chooseBoard } from '../../builder/boot/choose-board.ts'
import { isFailure } from '../../builder/boot/report.ts'
import { hashFile } from '../../builder/core/digest.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { checkBase } from '../../builder/image/check.ts'
import { inspectBase } from '../../builder/image/open.ts'
import { type Checkout, makeCheckout } from '../support/checkout.ts'
import { scratch } from '../support/scratch.ts'
import { tools } from '../support/tools.ts'
import { bootFolder } from './_image.ts'

const isRoot = process.getuid?.() === 0
const ifRoot = isRoot ? test.serial : test.serial.skip
const title = (name: string): string => (isRoot ? name : `${name} (baking needs root)`)

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl keeper@example'
const userData = `#cloud-config
hostname: mill
users:
  - name: keeper
    sudo: ALL=(ALL) NOPASSWD:ALL
    shell: /bin/bash
    ssh_authorized_keys: ['${key}']
`

let checkout: Checkout
let image: string

test.before(async () => {
  if (!isRoot) return
  checkout = await makeCheckout({ target: 'vm-amd64' })
  await checkout.addProfile('small', ['stages: [ssh]'], { target: 'vm-amd64' })
})
test.after.always(() => checkout?.remove())

const bake = () => checkout.runJson(['--profile', 'small', '--target', 'vm-amd64', '--offline'])

ifRoot(
  title('a small profile is baked for an x86 machine with UEFI, as a raw image and as a qcow2 of it'),
  async (t) => {
    t.timeout(600_000)
    const run = await bake()
    t.is(run.exitCode, 0, run.stderr.slice(-4000))
    t.is(run.data.image, 'images/small-vm-amd64.img')
    image = join(checkout.project.images, 'small-vm-amd64.img')
    t.is(await chooseBoard(tools, image), 'uefi-amd64')
    await t.throwsAsync(chooseBoard(tools, image, { named: 'raspi3b' }), { code: 'USAGE' })

    const { boot, root } = await checkBase({ tools, path: image, label: 'the image', scratch: await scratch(t) })
    t.is(boot.fat.label, 'bootfs')
    t.is(root.ext4.label, 'rootfs')
    const verified = await runTool(tools, ['sfdisk', '--verify', image], { readOnly: [image] })
    t.regex(verified.stdout, /No errors detected/)
    const entry = await runTool(tools, ['mtype', '-i', `${image}@@${boot.offsetBytes}`, '::loader/loader.conf'], {
      readOnly: [image],
      env: { MTOOLS_SKIP_CHECK: '1' },
    })
    t.regex(entry.stdout, /^timeout 0$/m)

    const qcow2 = image.replace(/img$/, 'qcow2')
    t.regex((await runTool(tools, ['qemu-img', 'check', qcow2], { readOnly: [qcow2] })).stdout, /No errors were found/)
    await runTool(tools, ['qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', image, qcow2], {
      readOnly: [image, qcow2],
    })
    const checksums = await readFile(`${image}.sha256`, 'utf8')
    t.true(checksums.includes(`${await hashFile(qcow2)}  small-vm-amd64.qcow2\n`))
    t.deepEqual(
      (await readdir(checkout.project.images)).sort(),
      ['cdx.json', 'img', 'img.bmap', 'img.sha256', 'qcow2', 'report.html', 'spdx.json'].map(
        (ending) => `small-vm-amd64.${ending}`,
      ),
    )
    t.log(`baked in ${Math.round(run.durationMs / 1000)} s`)
  },
)

ifRoot(
  title('it starts from its own boot loader, does what the user-data of a seed disk says, and passes its checks'),
  async (t) => {
    t.timeout(1_800_000)
    const lines: string[] = []
    await using guest = await bootImage({
      ...{ tools, image, board: 'uefi-amd64', scratch: await bootFolder(t) },
      cloudSeed: { userData },
      emit: (event) => {
        if (event.type === 'output') lines.push(event.line)
      },
    })
    const checks = await runChecks(guest, await collectChecks(guest), { id: 'checks', emit: () => undefined })
    t.deepEqual(
      checks.filter(isFailure).map(({ stage, name, output }) => `${stage} ${name}: ${output}`),
      [],
    )
    t.true(checks.some(({ stage, output }) => stage === 'cloud-init' && output.includes('status: done')))
    const ask = async (script: string): Promise<string> => (await guest.run(script)).output.trim()
    t.is(await ask('hostname; cat /etc/hostname'), 'mill\nmill')
    t.is(await ask('sudo -u keeper sudo -n id -un'), 'root')
    t.is(await ask('cat ~keeper/.ssh/authorized_keys'), key)
    t.regex(await ask('getent shadow keeper'), /^keeper:[!*]/)
    const { root } = await inspectBase(image)
    const sectors = Number(await ask('cat /sys/class/block/vda2/size'))
    t.true(sectors * 512 - root.sizeBytes > 2 ** 30 - 2 ** 21, 'the root has the GiB that came after the image')
    t.regex(await ask('sfdisk --verify /dev/vda'), /No errors detected/)
    t.log(`booted in ${Math.round(guest.bootMs / 1000)} s`)
  },
)
