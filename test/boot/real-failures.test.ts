import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type BootRequest, bootImage } from '../../builder/boot/boot.ts'
import { collectChecks, runChecks } from '../../builder/boot/checks.ts'
import { requirePassed } from '../../builder/boot/report.ts'
import { hashFile } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { runCommand } from '../../builder/host/command.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { mtoolsDrive } from '../../builder/image/open.ts'
import { readPartitionTable, sectorBytes } from '../../builder/image/table.ts'
import { tools } from '../support/tools.ts'
import { bakedImage, bootFolder, noImage, processesWith } from './_image.ts'

const realTest = noImage === undefined ? test.serial : test.serial.skip
const title = (name: string): string => (noImage === undefined ? name : `${name} (${noImage})`)

/** A copy of the image, whose kernel command line each test changes. */
let image = ''
let cmdline = ''
let drive = ''

const putCmdline = async (text: string): Promise<void> => {
  await runTool(tools, ['mcopy', '-o', '-i', drive, '-', '::cmdline.txt'], {
    writable: [image],
    env: { MTOOLS_SKIP_CHECK: '1' },
    input: `${text}\n`,
  })
}

test.before(async (t) => {
  t.timeout(1_200_000)
  if (noImage !== undefined) return
  const baked = await bakedImage()
  const folder = await mkdtemp(join(tmpdir(), 'pibake-failures-'))
  image = join(folder, 'broken.img')
  await runCommand(['cp', '--sparse=always', '--reflink=auto', baked, image])
  const { partitions } = await readPartitionTable(image)
  drive = mtoolsDrive(image, (partitions[0]?.startSector ?? 0) * sectorBytes)
  const { stdout } = await runTool(tools, ['mcopy', '-i', drive, '::cmdline.txt', '-'], {
    readOnly: [image],
    env: { MTOOLS_SKIP_CHECK: '1' },
  })
  cmdline = stdout.trim()
})

test.after.always(() => rm(join(image, '..'), { recursive: true, force: true }))

/** Boot the image, which must fail, and see that nothing is left of it. */
const failBoot = async (t: ExecutionContext, request: Partial<BootRequest> = {}): Promise<PibakeError> => {
  t.timeout(600_000)
  const scratch = request.scratch ?? (await bootFolder(t))
  const before = await hashFile(image)
  const booting = bootImage({ tools, image, board: 'virt', emit: () => {}, timeoutMs: 300_000, scratch, ...request })
  const error = await t.throwsAsync(booting, { instanceOf: PibakeError })
  t.deepEqual(await processesWith(scratch), [])
  t.deepEqual(await readdir(scratch), [])
  t.is(await hashFile(image), before)
  if (!error) throw new Error('the boot did not fail')
  return error
}

realTest(title('a kernel panic ends the boot at once, with the end of the console'), async (t) => {
  await putCmdline(`${cmdline} init=/bin/false`)
  const error = await failBoot(t)
  t.is(error.code, 'BOOT_FAILED')
  t.regex(error.message, /QEMU virt: the kernel panicked/)
  t.regex(error.details.join('\n'), /Kernel panic - not syncing: Attempted to kill init/)
  t.true(error.details.length > 10)
})

realTest(title('emergency mode ends the boot at once'), async (t) => {
  await putCmdline(`${cmdline} systemd.unit=emergency.target`)
  const error = await failBoot(t)
  t.is(error.code, 'BOOT_FAILED')
  t.regex(error.message, /the system went into emergency mode/)
  t.regex(error.details.join('\n'), /emergency/i)
})

realTest(title('a root file system that is not there is named'), async (t) => {
  await putCmdline(cmdline.replace(/root=\S+/, 'root=PARTUUID=00000000-02 rootdelay=2'))
  const error = await failBoot(t)
  t.is(error.code, 'BOOT_FAILED')
  t.regex(error.message, /the initramfs did not find the root file system|the kernel panicked/)
  t.regex(error.details.join('\n'), /00000000-02/)
})

realTest(title('QEMU that ends in mid-boot is a failed boot'), async (t) => {
  await putCmdline(cmdline)
  const scratch = await bootFolder(t)
  const seen = Promise.withResolvers<void>()
  const failing = failBoot(t, {
    scratch,
    emit: (event) => event.type === 'output' && /Run \/init as init process/.test(event.line) && seen.resolve(),
  })
  await Promise.race([seen.promise, failing])
  const qemu = (await processesWith(scratch)).filter((line) => /^\d+ qemu-system-aarch64 /.test(line))
  t.is(qemu.length, 1)
  process.kill(Number(qemu[0]?.split(' ')[0]), 'SIGKILL')
  const error = await failing
  t.is(error.code, 'BOOT_FAILED')
  t.regex(error.message, /QEMU ended with status/)
  t.regex(error.details.join('\n'), /Run \/init as init process/)
})

realTest(title('a boot that takes too long is ended'), async (t) => {
  await putCmdline(cmdline)
  const error = await failBoot(t, { timeoutMs: 8000 })
  t.is(error.code, 'BOOT_FAILED')
  t.regex(error.message, /it was not up within 8/)
  t.true(error.details.length > 0)
})

realTest(title('an interrupt ends the boot as such'), async (t) => {
  await putCmdline(cmdline)
  const interrupt = new AbortController()
  const reason = new PibakeError('INTERRUPTED', 'Interrupted.', { hint: 'Again.' })
  const error = await failBoot(t, {
    signal: interrupt.signal,
    emit: (event) => event.type === 'output' && interrupt.abort(reason),
  })
  t.is(error.code, 'INTERRUPTED')
})

realTest(title('an image without a kernel does not start at all'), async (t) => {
  const other = join(await bootFolder(t), 'no.img')
  await writeFile(other, await readFile(join(import.meta.dirname, 'real-failures.test.ts')))
  const scratch = await bootFolder(t)
  const error = await t.throwsAsync(bootImage({ tools, image: other, board: 'virt', scratch, emit: () => {} }), {
    instanceOf: PibakeError,
  })
  t.is(error?.code, 'IMAGE_INVALID')
  t.deepEqual(await readdir(scratch), [])
})

realTest(title('a service that fails is shown with its journal'), async (t) => {
  t.timeout(900_000)
  await putCmdline(cmdline)
  const scratch = await bootFolder(t)
  const config = join(scratch, 'bad.conf')
  await writeFile(config, 'NoSuchKeyword yes\n')
  const { partitions } = await readPartitionTable(image)
  const root = `${image}?offset=${(partitions[1]?.startSector ?? 0) * sectorBytes}`
  const target = '/etc/ssh/sshd_config.d/10-pibake.conf'
  for (const command of [`rm ${target}`, `write ${config} ${target}`]) {
    await runTool(tools, ['debugfs', '-w', '-R', command, root], { writable: [image], readOnly: [scratch] })
  }
  await using guest = await bootImage({ tools, image, board: 'virt', scratch, emit: () => {}, timeoutMs: 600_000 })
  t.is(guest.state, 'degraded')
  const wanted = ['running', 'unmodified', 'banner', 'host-key']
  const checks = (await collectChecks(guest)).filter(
    ({ stage, name }) => (stage === 'system' || stage === 'ssh') && wanted.includes(name),
  )
  const results = await runChecks(guest, checks, { id: 'checks', emit: () => {} })
  const report = { image, board: 'virt' as const, bootMs: guest.bootMs, checks: results }
  const error = t.throws(() => requirePassed(report), { instanceOf: PibakeError })
  t.is(error?.code, 'CHECKS_FAILED')
  const details = error?.details.join('\n') ?? ''
  t.regex(details, /system: the system is running with zero failed units\n[\s\S]*ssh\.service/s)
  t.regex(details, /--- journal of ssh\.service\n[\s\S]*NoSuchKeyword/s)
  t.regex(details, /\/etc\/ssh\/sshd_config\.d\/10-pibake\.conf/)
})
