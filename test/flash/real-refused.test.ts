import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { hashFile } from '../../builder/core/digest.ts'
import { findDevice } from '../../builder/flash/device.ts'
import { flashImage } from '../../builder/flash/flash.ts'
import { openSource } from '../../builder/flash/source.ts'
import { runCommand } from '../../builder/host/command.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { attachLoop, makeDevice, noDevices, type TestDevice } from '../support/block-device.ts'
import { makeRawImage } from '../support/raw-image.ts'
import { scratch } from '../support/scratch.ts'
import { tools } from '../support/tools.ts'

const realTest = noDevices === undefined ? test : test.skip
if (noDevices !== undefined) test(`skipped: ${noDevices}`, (t) => t.pass())

const mib = 1 << 20

/** Flashing must refuse it, beside a good one, and leave both as they were to the byte. */
const assertRefused = async (t: ExecutionContext, device: TestDevice, says: RegExp, image?: string): Promise<void> => {
  const good = await makeDevice(t, 64 * mib)
  const path = image ?? (await makeRawImage(await scratch(t)))
  const before = [await hashFile(device.file), await hashFile(good.file)]
  const source = await openSource(path, { label: 'pi.img', tools: async () => tools })
  const devices = await Promise.all([good.path, device.path].map((name) => findDevice(name)))
  const signal = new AbortController().signal
  const running = flashImage(source, devices, { tools: async () => tools, verify: true, emit: () => undefined, signal })
  await t.throwsAsync(running, { message: says, code: 'DEVICE_REFUSED' })
  t.deepEqual([await hashFile(device.file), await hashFile(good.file)], before)
}

const format = async (device: TestDevice): Promise<void> => {
  await runTool(tools, ['mke2fs', '-q', '-F', '-t', 'ext4', device.file], { writable: [device.file] })
}

realTest('a mounted drive', async (t) => {
  const device = await makeDevice(t, 64 * mib)
  await format(device)
  const folder = await scratch(t)
  await runCommand(['mount', '-o', 'ro', device.path, folder])
  t.teardown(() => runCommand(['umount', folder]))
  await assertRefused(t, device, /is mounted at `.*pibake-test-/)
})

realTest('a drive that another mount namespace has mounted: the kernel knows', async (t) => {
  const device = await makeDevice(t, 64 * mib)
  await format(device)
  const folder = await scratch(t)
  const script = 'mount -o ro "$1" "$2" && touch "$3" && sleep 30'
  const flag = join(folder, '..', `${folder.slice(folder.lastIndexOf('/') + 1)}.flag`)
  const stop = new AbortController()
  const argv = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', device.path, folder, flag]
  const other = runCommand(argv, { signal: stop.signal }).catch(() => undefined)
  t.teardown(async () => {
    stop.abort()
    await other
    await runCommand(['rm', '-f', flag])
  })
  for (let tries = 0; tries < 100; tries += 1) {
    if (
      await readFile(flag).then(
        () => true,
        () => false,
      )
    )
      break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await assertRefused(t, device, /is in use by another program/)
})

realTest('a drive that is swapped to', async (t) => {
  const device = await makeDevice(t, 64 * mib)
  await runTool(tools, ['mkswap', device.file], { writable: [device.file] })
  const swapping = await runCommand(['swapon', device.path]).then(
    () => true,
    () => false,
  )
  if (!swapping) {
    t.log('skipped: this kernel does not swap')
    t.pass()
    return
  }
  t.teardown(() => runCommand(['swapoff', device.path]))
  await assertRefused(t, device, /is in use as swap/)
})

realTest('a drive that is read-only', async (t) => {
  const file = join(await scratch(t), 'disk')
  await writeFile(file, Buffer.alloc(64 * mib, 1))
  await assertRefused(t, { path: await attachLoop(t, file, ['--read-only']), file }, /cannot be written/)
})

realTest('a drive that is one sector too small', async (t) => {
  const device = await makeDevice(t, 24 * mib - 512)
  await assertRefused(t, device, /is too small/)
})

realTest('a drive of large sectors', async (t) => {
  const file = join(await scratch(t), 'disk')
  await writeFile(file, Buffer.alloc(64 * mib, 1))
  await assertRefused(
    t,
    { path: await attachLoop(t, file, ['--sector-size', '4096']), file },
    /has sectors of 4096 bytes/,
  )
})

realTest('the image itself', async (t) => {
  const image = await makeRawImage(await scratch(t))
  await assertRefused(t, { path: await attachLoop(t, image), file: image }, /is the image itself/, image)
})

realTest('a drive that another program holds', async (t) => {
  const device = await makeDevice(t, 64 * mib)
  const { O_RDONLY, O_EXCL } = (await import('node:fs')).constants
  const held = await open(device.path, O_RDONLY | O_EXCL)
  t.teardown(() => held.close())
  await assertRefused(t, device, /is in use by another program/)
})

realTest('a card that was changed after it was looked at', async (t) => {
  const device = await makeDevice(t, 64 * mib)
  const looked = { ...(await findDevice(device.path)), sequence: '0' }
  const before = await hashFile(device.file)
  const source = await openSource(await makeRawImage(await scratch(t)), { label: 'pi.img', tools: async () => tools })
  const signal = new AbortController().signal
  const running = flashImage(source, [looked], {
    tools: async () => tools,
    verify: true,
    emit: () => undefined,
    signal,
  })
  await t.throwsAsync(running, { message: /is no longer the card that it was/ })
  t.is(await hashFile(device.file), before)
})
