import { createHash } from 'node:crypto'
import { open, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { findDevice } from '../../builder/flash/device.ts'
import { type FlashOptions, flashFailure, flashImage } from '../../builder/flash/flash.ts'
import { probePlaces } from '../../builder/flash/probe-places.ts'
import { openSource } from '../../builder/flash/source.ts'
import { runCommand } from '../../builder/host/command.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { digestImage, renderBmap } from '../../builder/image/bmap.ts'
import {
  attachLoop,
  makeDevice,
  makeFaultyDevice,
  noDevices,
  noFaults,
  type TestDevice,
} from '../support/block-device.ts'
import { makeRawImage } from '../support/raw-image.ts'
import { scratch } from '../support/scratch.ts'
import { tools } from '../support/tools.ts'
import type { Faults } from './fixtures/faulty-disk.ts'

const realTest = noDevices === undefined ? test : test.skip
const faultTest = noFaults === undefined ? test : test.skip
if (noFaults !== undefined) test(`skipped: ${noFaults}`, (t) => t.pass())

const mib = 1 << 20
const never = new AbortController().signal

const flash = async (
  image: string,
  paths: readonly string[],
  options: Partial<FlashOptions> = {},
): Promise<Awaited<ReturnType<typeof flashImage>>> => {
  const source = await openSource(image, { label: 'pi.img', tools: async () => tools })
  const devices = await Promise.all(paths.map((path) => findDevice(path)))
  return flashImage(source, devices, {
    tools: async () => tools,
    verify: true,
    emit: () => undefined,
    signal: never,
    ...options,
  })
}

const readHead = async (file: string): Promise<Buffer> => {
  await using handle = await open(file, 'r')
  const { buffer } = await handle.read(Buffer.alloc(mib), 0, mib, 0)
  return buffer
}

/** Nothing starts from it: its first MiB is empty. */
const isEmpty = async ({ file }: Pick<TestDevice, 'file'>): Promise<boolean> =>
  (await readHead(file)).equals(Buffer.alloc(mib))

const holds = async ({ file }: Pick<TestDevice, 'file'>, image: string): Promise<boolean> => {
  const expected = await readFile(image)
  return (await readFile(file)).subarray(0, expected.length).equals(expected)
}

const writeBmap = async (image: string): Promise<void> => {
  await writeFile(`${image}.bmap`, renderBmap(await digestImage(image, { unmapped: 'read' })))
}

const sentenceOf = (result: { failure?: unknown } | undefined): string =>
  result?.failure instanceof PibakeError ? result.failure.message : String(result?.failure)

realTest('an image lands on a card byte for byte', async (t) => {
  const image = await makeRawImage(await scratch(t))
  const device = await makeDevice(t, 40 * mib)
  const [result] = await flash(image, [device.path])
  t.is(result?.outcome, 'done')
  t.is(result?.writtenBytes, 23 * mib)
  t.true(await holds(device, image))
})

realTest('only what the block map names is written, and it is held against its checksums', async (t) => {
  const folder = await scratch(t)
  const image = await makeRawImage(folder, { mib: 16 })
  const bytes = await readFile(image)
  const range = (first: number, last: number) => ({
    first,
    last,
    sha256: hashBytes(bytes.subarray(first * 4096, (last + 1) * 4096)),
  })
  await writeFile(
    `${image}.bmap`,
    renderBmap({ sizeBytes: 16 * mib, ranges: [range(0, 300), range(2000, 2000), range(4095, 4095)] }),
  )
  const device = await makeDevice(t, 20 * mib)
  await writeFile(device.file, Buffer.alloc(20 * mib, 0x5a), { flag: 'r+' })
  const [result] = await flash(image, [device.path])
  t.is(result?.outcome, 'done')
  const found = await readFile(device.file)
  t.true(found.subarray(0, 301 * 4096).equals(bytes.subarray(0, 301 * 4096)))
  t.true(found.subarray(2000 * 4096, 2001 * 4096).equals(bytes.subarray(2000 * 4096, 2001 * 4096)))
  t.true(found.subarray(4095 * 4096, 16 * mib).equals(bytes.subarray(4095 * 4096)))
  t.false(found.subarray(10 * mib, 11 * mib).equals(bytes.subarray(10 * mib, 11 * mib)))
})

realTest('a gap that is filled may lie where the size was tried', async (t) => {
  const image = await makeRawImage(await scratch(t), { mib: 24 })
  const bytes = await readFile(image)
  const tried = probePlaces(32 * mib)
    .map((place) => place / 4096)
    .find((block) => block > 4096 && block % 1024 > 8 && block % 1024 < 1000)
  if (tried === undefined) throw new Error('no place within a window')
  const range = (first: number, last: number) => {
    const part = bytes.subarray(first * 4096, (last + 1) * 4096)
    return { first, last, sha256: hashBytes(part) }
  }
  const ranges = [range(0, tried - 2), range(tried + 2, 6143)]
  await writeFile(`${image}.bmap`, renderBmap({ sizeBytes: 24 * mib, ranges }))
  const device = await makeDevice(t, 32 * mib)
  const [result] = await flash(image, [device.path])
  t.is(result?.outcome, 'done')
  t.true(await holds(device, image), 'the gap holds what the image has there')
})

for (const kind of ['xz', 'gz', 'zst'] as const) {
  realTest(`a .${kind} is unpacked once for three cards`, async (t) => {
    const folder = await scratch(t)
    const image = await makeRawImage(folder)
    const pack = { xz: ['xz', '-0', '--keep'], gz: ['gzip', '-1', '--keep'], zst: ['zstd', '-q', '-1'] }[kind]
    await runTool(tools, [...pack, image], { writable: [folder] })
    const devices = await Promise.all([1, 2, 3].map(() => makeDevice(t, 30 * mib)))
    let unpackers = 0
    const results = await flash(
      `${image}.${kind}`,
      devices.map(({ path }) => path),
      {
        tools: async () => {
          unpackers += 1
          return tools
        },
      },
    )
    t.is(unpackers, 1)
    t.deepEqual(
      results.map(({ outcome }) => outcome),
      ['done', 'done', 'done'],
    )
    for (const device of devices) t.true(await holds(device, image))
  })
}

const faulty: readonly [what: string, faults: Faults, says: RegExp][] = [
  ['bad sectors', { badFrom: 12 * mib, badTo: 12 * mib + 512 }, /failed while it was written \(EIO\)/],
  ['a bad sector in the first MiB', { badFrom: 4096, badTo: 8192 }, /failed while it was prepared \(EIO\)/],
  ['a bit that comes back changed', { flips: 17 * mib + 5 }, /gives back other bytes/],
  [
    'a bit of the partition table that comes back changed',
    { flips: 5 },
    /what was written at byte 0 is gone|gives back/,
  ],
  ['a card that is pulled out', { goneAfter: 8 * mib }, /failed while it was written|went away/],
  ['half the size that it says, the rest lost', { realBytes: 32 * mib }, /does not hold the 67 MB that it says/],
  ['half the size that it says, wrapped around', { realBytes: 32 * mib, wraps: true }, /does not hold the 67 MB/],
  ['less than the image needs, wrapped around', { realBytes: 10 * mib, wraps: true }, /does not hold the 67 MB/],
  ['an odd size, wrapped around', { realBytes: 41 * mib - 512, wraps: true }, /does not hold the 67 MB/],
  ['no room for the last sectors', { realBytes: 64 * mib - 4096 }, /does not hold the 67 MB/],
]

for (const [what, faults, says] of faulty) {
  faultTest(`never done: ${what}`, async (t) => {
    const image = await makeRawImage(await scratch(t))
    const device = await makeFaultyDevice(t, 64 * mib, faults)
    const [result] = await flash(image, [device.path])
    t.is(result?.outcome, 'failed')
    t.regex(sentenceOf(result), says)
    const { badFrom = Number.POSITIVE_INFINITY } = faults
    if (badFrom >= mib && !faults.wraps) t.true(await isEmpty(device), 'nothing starts from it')
    t.false(await holds(device, image))
  })
}

faultTest('a disk with no faults passes through the same way', async (t) => {
  const image = await makeRawImage(await scratch(t))
  const device = await makeFaultyDevice(t, 64 * mib)
  const [result] = await flash(image, [device.path])
  t.is(result?.outcome, 'done')
  t.true(await holds(device, image))
})

faultTest('of eight cards, two fail alone and six are done', async (t) => {
  const image = await makeRawImage(await scratch(t))
  await writeBmap(image)
  const good = await Promise.all([1, 2, 3, 4, 5, 6].map(() => makeDevice(t, 64 * mib)))
  const bad = await makeFaultyDevice(t, 64 * mib, { badFrom: 20 * mib, badTo: 21 * mib })
  const corrupt = await makeFaultyDevice(t, 64 * mib, { flips: 9 * mib })
  const all = [bad, ...good, corrupt]
  const results = await flash(
    image,
    all.map(({ path }) => path),
  )
  t.deepEqual(
    results.map(({ outcome }) => outcome),
    ['failed', 'done', 'done', 'done', 'done', 'done', 'done', 'failed'],
  )
  t.is(flashFailure(results)?.message, '2 of 8 cards failed; the others are good.')
  t.is(flashFailure(results)?.details.length, 2)
  for (const device of good) t.true(await holds(device, image))
  for (const device of [bad, corrupt]) t.true(await isEmpty(device))
})

faultTest('a slow card is done in its time, and a card that hangs does not hold up the others', async (t) => {
  const image = await makeRawImage(await scratch(t), { mib: 96 })
  const slow = await makeFaultyDevice(t, 128 * mib, { delayMs: 10 })
  const hung = await makeFaultyDevice(t, 128 * mib, { hangsAfter: 40 * mib })
  const fast = await makeDevice(t, 128 * mib)
  const results = await flash(image, [slow.path, hung.path, fast.path], { stallMs: 1500 })
  t.deepEqual(
    results.map(({ outcome }) => outcome),
    ['done', 'failed', 'done'],
  )
  t.regex(sentenceOf(results[1]), /gave no answer while it was written/)
  t.true(await holds(slow, image))
  t.true(await holds(fast, image))
  t.true(await isEmpty(hung))
})

faultTest('a card whose host controller goes away has failed', async (t) => {
  const image = await makeRawImage(await scratch(t), { mib: 96 })
  const device = await makeFaultyDevice(t, 128 * mib, { delayMs: 5 })
  const pulled = { isDone: false }
  const [result] = await flash(image, [device.path], {
    emit: (event) => {
      if (event.type === 'step-progress' && event.done > 20 * mib && !pulled.isDone) {
        pulled.isDone = true
        device.pull()
      }
    },
  })
  t.true(pulled.isDone)
  t.is(result?.outcome, 'failed')
  t.true(await isEmpty(device))
})

realTest('a card that ends before an image of unknown size has failed', async (t) => {
  const folder = await scratch(t)
  const image = await makeRawImage(folder)
  await runTool(tools, ['gzip', '-1', image], { writable: [folder] })
  const device = await makeDevice(t, 16 * mib)
  const [result] = await flash(`${image}.gz`, [device.path])
  t.is(result?.outcome, 'failed')
  t.regex(sentenceOf(result), /it is too small/)
  t.true(await isEmpty(device))
})

realTest('a device on a full disk has failed', async (t) => {
  const image = await makeRawImage(await scratch(t))
  const folder = await scratch(t)
  await runCommand(['mount', '-t', 'tmpfs', '-o', 'size=8M', 'small', folder])
  t.teardown(() => runCommand(['umount', '--lazy', folder]))
  const file = join(folder, 'disk')
  await writeFile(file, '')
  await truncate(file, 64 * mib)
  const path = await attachLoop(t, file)
  const [result] = await flash(image, [path])
  t.is(result?.outcome, 'failed')
  t.true(await isEmpty({ file }))
})

const wrong = async (t: ExecutionContext, image: string): Promise<void> => {
  const device = await makeDevice(t, 64 * mib)
  const error = await t.throwsAsync(flash(image, [device.path]), { instanceOf: PibakeError })
  t.is((error as PibakeError).code, 'IMAGE_INVALID')
  t.true(
    (await isEmpty(device)) || (await readHead(device.file)).equals(Buffer.alloc(mib, 0xa5)),
    'nothing starts from it',
  )
}

realTest('an image that was changed is never done: its block map tells', async (t) => {
  const image = await makeRawImage(await scratch(t))
  await writeBmap(image)
  await using file = await open(image, 'r+')
  await file.write('changed', 20 * mib)
  await wrong(t, image)
})

realTest('an image that was changed is never done: its checksum tells', async (t) => {
  const image = await makeRawImage(await scratch(t))
  await writeFile(`${image}.sha256`, `${createHash('sha256').update('another').digest('hex')}  pi.img\n`)
  await wrong(t, image)
})

realTest('an image in an archive that is cut off is never done', async (t) => {
  const folder = await scratch(t)
  const image = await makeRawImage(folder)
  await runTool(tools, ['xz', '-0', image], { writable: [folder] })
  await truncate(`${image}.xz`, (await stat(`${image}.xz`)).size - (1 << 20))
  await wrong(t, `${image}.xz`)
})

realTest('an archive of something else leaves the card as it was', async (t) => {
  const folder = await scratch(t)
  const path = join(folder, 'pi.img')
  await writeFile(path, Buffer.alloc(5 * mib, 'text'))
  await runTool(tools, ['zstd', '-q', path], { writable: [folder] })
  const device = await makeDevice(t, 64 * mib)
  await t.throwsAsync(flash(`${path}.zst`, [device.path]), { message: /is not a disk image/ })
  t.true((await readHead(device.file)).equals(Buffer.alloc(mib, 0xa5)))
})

realTest('a card that is stopped has no first block, and that is said', async (t) => {
  const image = await makeRawImage(await scratch(t), { mib: 96 })
  const device = await makeDevice(t, 128 * mib)
  const controller = new AbortController()
  const events: PibakeEvent[] = []
  const running = flash(image, [device.path], {
    signal: controller.signal,
    emit: (event) => {
      events.push(event)
      if (event.type === 'step-progress' && event.done > 30 * mib) controller.abort(new Error('stopped'))
    },
  })
  await t.throwsAsync(running, { message: 'stopped' })
  t.true(await isEmpty(device))
  const notices = events.flatMap((event) => (event.type === 'notice' ? [event.message] : []))
  t.is(notices.length, 1)
  t.regex(notices[0] ?? '', /nothing starts from it until it is flashed again/)
})

realTest('what nobody asked for is not read back', async (t) => {
  const image = await makeRawImage(await scratch(t))
  const device = await makeDevice(t, 64 * mib)
  const titles: string[] = []
  const [result] = await flash(image, [device.path], {
    verify: false,
    emit: (event) => {
      if (event.type === 'step-start') titles.push(event.title.split(' ')[0] ?? '')
    },
  })
  t.is(result?.outcome, 'done')
  t.deepEqual(titles, ['Write'])
  t.true(await holds(device, image))
})
