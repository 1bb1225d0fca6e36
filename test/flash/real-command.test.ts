import { open, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import { hashFile } from '../../builder/core/digest.ts'
import { spawnCommand } from '../../builder/host/command.ts'
import { makeDevice, noDevices, type TestDevice } from '../support/block-device.ts'
import { leftovers } from '../support/leftovers.ts'
import { makeRawImage } from '../support/raw-image.ts'
import { scratch } from '../support/scratch.ts'
import { checkout } from '../support/tools.ts'

const realTest = noDevices === undefined ? test : test.skip
if (noDevices !== undefined) test(`skipped: ${noDevices}`, (t) => t.pass())

const mib = 1 << 20

const start = (args: readonly string[]) => {
  const env = Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value ? [[name, value]] : [])))
  const subprocess = spawnCommand([join(checkout, 'pibake'), 'flash', ...args], { env })
  subprocess.stdin.end()
  let stderr = ''
  let stdout = ''
  subprocess.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  subprocess.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const ended = subprocess.then(({ exitCode }) => ({ exitCode, stdout, stderr }))
  return { subprocess, ended, said: () => stderr }
}

const isEmpty = async ({ file }: TestDevice): Promise<boolean> => {
  await using handle = await open(file, 'r')
  const { buffer } = await handle.read(Buffer.alloc(mib), 0, mib, 0)
  return buffer.equals(Buffer.alloc(mib))
}

realTest('two cards are written and the result is data', async (t) => {
  const image = await makeRawImage(await scratch(t))
  const devices = [await makeDevice(t, 32 * mib), await makeDevice(t, 32 * mib)]
  const { ended } = start([image, '--to', ...devices.map(({ path }) => path), '--yes', '--json'])
  const { exitCode, stdout } = await ended
  t.is(exitCode, 0)
  const { cards } = JSON.parse(stdout) as { cards: { outcome: string; device: { path: string } }[] }
  t.deepEqual(
    cards.map(({ outcome, device }) => [outcome, device.path]),
    devices.map(({ path }) => ['done', path]),
  )
  const expected = await readFile(image)
  for (const { file } of devices) t.true((await readFile(file)).subarray(0, expected.length).equals(expected))
})

realTest('without a terminal and without --yes nothing is written', async (t) => {
  const image = await makeRawImage(await scratch(t))
  const device = await makeDevice(t, 32 * mib)
  const before = await hashFile(device.file)
  const { exitCode, stderr } = await start([image, '--to', device.path]).ended
  t.is(exitCode, 2)
  t.regex(stderr, /code: USAGE/)
  t.is(await hashFile(device.file), before)
})

realTest('the list has no loop devices', async (t) => {
  const device = await makeDevice(t, 32 * mib)
  const { exitCode, stdout } = await start(['--json']).ended
  t.is(exitCode, 0)
  t.false((JSON.parse(stdout) as { path: string }[]).some(({ path }) => path === device.path))
})

for (const [name, code] of [
  ['SIGINT', 130],
  ['SIGKILL', 137],
] as const) {
  realTest(`after ${name} nothing starts from the card, and nothing is left behind`, async (t) => {
    const image = await makeRawImage(await scratch(t), { mib: 400 })
    const device = await makeDevice(t, 512 * mib)
    const { subprocess, ended, said } = start([image, '--to', device.path, '--yes', '--json'])
    while (!said().includes('"step-progress"')) await new Promise((resolve) => setTimeout(resolve, 5))
    subprocess.kill(name)
    const { exitCode } = await ended
    t.is(exitCode ?? 137, code)
    if (name === 'SIGINT') t.regex(said(), /nothing starts from it until it is flashed again/)
    await new Promise((resolve) => setTimeout(resolve, 300))
    t.true(await isEmpty(device))
    t.deepEqual(await leftovers(dirname(image)), [])
  })
}
