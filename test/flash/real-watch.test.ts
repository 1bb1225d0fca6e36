import { readFile } from 'node:fs/promises'
import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { type Device, findDevice } from '../../builder/flash/device.ts'
import { flashImage } from '../../builder/flash/flash.ts'
import { openSource } from '../../builder/flash/source.ts'
import { watchDrives } from '../../builder/flash/watch.ts'
import { makeDevice, noDevices } from '../support/block-device.ts'
import { makeRawImage } from '../support/raw-image.ts'
import { scratch } from '../support/scratch.ts'
import { tools } from '../support/tools.ts'

const realTest = noDevices === undefined ? test : test.skip
if (noDevices !== undefined) test(`skipped: ${noDevices}`, (t) => t.pass())

const mib = 1 << 20

realTest('what is plugged in is written, a few at a time; what was in is left alone', async (t) => {
  const image = await makeRawImage(await scratch(t))
  const expected = await readFile(image)
  const source = await openSource(image, { label: 'pi.img', tools: async () => tools })
  const cards = await Promise.all([1, 2, 3, 4].map(() => makeDevice(t, 32 * mib)))
  const small = await makeDevice(t, 8 * mib)
  const all = await Promise.all([...cards, small].map(({ path }) => findDevice(path)))
  const [there] = all
  const stop = new AbortController()
  const events: PibakeEvent[] = []
  let looks = 0
  let running = 0
  let most = 0
  const results = await watchDrives({
    // Loop devices stand for what the kernel would list as removable.
    list: async () => {
      looks += 1
      return looks === 1 && there ? [there] : all
    },
    flash: async (device: Device) => {
      running += 1
      most = Math.max(most, running)
      try {
        const options = { tools: async () => tools, verify: true, emit: () => undefined, signal: stop.signal }
        const [result] = await flashImage(source, [device], options)
        if (!result) throw new Error('no result')
        return result
      } finally {
        running -= 1
      }
    },
    atOnce: 2,
    emit: (event) => {
      events.push(event)
      const ends = events.filter((item) => item.type === 'notice').length
      if (ends === 4) stop.abort(new PibakeError('INTERRUPTED', 'Interrupted.', { hint: '' }))
    },
    signal: stop.signal,
    intervalMs: 20,
  })
  t.is(most, 2)
  t.deepEqual(
    results.map(({ outcome }) => outcome),
    ['done', 'done', 'done'],
  )
  const contents = await Promise.all(cards.map(async ({ file }) => (await readFile(file)).subarray(0, expected.length)))
  t.deepEqual(
    contents.map((content) => content.equals(expected)),
    [false, true, true, true],
  )
  t.true(
    events.some((event) => event.type === 'notice' && event.level === 'warn' && /is too small/.test(event.message)),
  )
})

realTest('an image that is wrong ends the watch', async (t) => {
  const device = await makeDevice(t, 32 * mib)
  const found = await findDevice(device.path)
  let looks = 0
  const running = watchDrives({
    list: async () => {
      looks += 1
      return looks === 1 ? [] : [found]
    },
    flash: () => Promise.reject(new PibakeError('IMAGE_INVALID', 'Wrong.', { hint: 'Another.' })),
    atOnce: 1,
    emit: () => undefined,
    signal: new AbortController().signal,
    intervalMs: 10,
  })
  await t.throwsAsync(running, { message: 'Wrong.' })
})
