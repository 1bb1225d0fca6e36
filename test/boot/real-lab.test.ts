import { mkdtemp, readdir } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { layCables } from '../../builder/boot/cables.ts'
import { startSwitch } from '../../builder/boot/switch.ts'
import { shapeTopology } from '../../builder/boot/topology.ts'
import { hashFile } from '../../builder/core/digest.ts'
import { projectAt } from '../../builder/core/project.ts'
import { checkout, tools } from '../support/tools.ts'
import { spawnPibake } from './_command.ts'
import { bakedImage, bootFolder, noImage, processesWith } from './_image.ts'

const realTest = noImage === undefined ? test.serial : test.serial.skip
const title = (name: string): string => (noImage === undefined ? name : `${name} (${noImage})`)

const frame = (last: number): Buffer => {
  const bytes = Buffer.alloc(4 + 60, last)
  bytes.writeUInt32BE(60, 0)
  return bytes
}

/** Plug a cable in; `bytes` is what has come out of it. */
const plug = (path: string): { socket: Socket; bytes: () => Buffer } => {
  let bytes: Buffer = Buffer.alloc(0)
  const socket = connect(path).on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
  })
  return { socket, bytes: () => bytes }
}

test.serial('a switch carries a frame to all others, and goes on when one is unplugged', async (t) => {
  t.timeout(60_000)
  const folder = await mkdtemp(join(await bootFolder(t), 'cables-'))
  const [plan] = layCables(shapeTopology('full', 3)).switches
  if (plan === undefined) return t.fail('no switch is planned')
  const started = await startSwitch(plan, { tools, cables: folder })
  const [a, b, c] = ['a', 'b', 'c'].map((node) => plug(join(folder, `0-${node}`)))
  if (!a || !b || !c) return t.fail()
  const arrives = async (at: { bytes: () => Buffer }, wanted: Buffer): Promise<void> => {
    while (!at.bytes().equals(wanted)) await sleep(20)
  }
  // A frame is lost while the other end is not yet plugged in, as on any wire.
  while (b.bytes().length === 0 || c.bytes().length === 0) {
    a.socket.write(frame(1))
    await sleep(100)
  }
  const before = c.bytes()
  b.socket.destroy()
  a.socket.write(frame(2))
  await arrives(c, Buffer.concat([before, frame(2)]))
  c.socket.write(frame(3))
  await arrives(a, frame(3))
  t.is(a.bytes().length, 64)
  for (const { socket } of [a, c]) socket.destroy()
  await started[Symbol.asyncDispose]()
  t.deepEqual(await processesWith(folder), [])
})

const scratchNames = async (): Promise<string[]> => (await readdir(projectAt(checkout).work).catch(() => [])).sort()

realTest(title('lab: two nodes find each other, and nothing is left of them'), async (t) => {
  t.timeout(2_400_000)
  const image = await bakedImage()
  const before = await hashFile(image)
  const scratchBefore = await scratchNames()
  const { ended } = spawnPibake(['lab', image, '--nodes', '2'])
  const { exitCode, stdout, stderr } = await ended

  t.is(exitCode, 0, `${stdout}\n${stderr}`)
  const rows = [...stdout.matchAll(/^ok +(\S+) +(\S → \S): /gm)].map(([, stage, pair]) => `${stage} ${pair}`)
  t.deepEqual(rows, ['apt-mirror b → a', 'ssb-pub b → a', 'yggdrasil a → b', 'yggdrasil b → a'])
  t.regex(stdout, /^all 4 checks passed; 2 nodes booted in .+ on virt$/m)
  t.regex(stderr, /a {2}http:\/\/127\.0\.0\.1:\d+\/ {2}ssh -p \d+ root@127\.0\.0\.1/)
  t.deepEqual(await processesWith(image), [])
  t.deepEqual(await scratchNames(), scratchBefore)
  t.is(await hashFile(image), before)
})
