import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { open, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { hashFile } from '../../builder/core/digest.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { compressImage, compressions } from '../../builder/publish/compress.ts'
import { scratch } from '../support/scratch.ts'
import { tools } from '../support/tools.ts'

const sizeBytes = 50 << 20

/** A sparse file of several compressors' blocks: text that repeats, bytes that do not, and a hole. */
const makeImage = async (path: string): Promise<void> => {
  await using file = await open(path, 'w')
  await file.truncate(sizeBytes)
  let state = createHash('sha512').update('seed').digest()
  const noise = Buffer.alloc(4 << 20)
  for (let offset = 0; offset < noise.length; offset += state.length) {
    state = createHash('sha512').update(state).digest()
    state.copy(noise, offset)
  }
  for (const mebibytes of [0, 23, 45]) await file.write(noise, 0, noise.length, mebibytes << 20)
  await file.write(Buffer.alloc(15 << 20, 'The same again and again.\n'), 0, 15 << 20, 28 << 20)
}

const unpackers = { xz: ['xz', '--decompress', '--stdout'], zst: ['zstd', '--decompress', '--stdout', '--quiet'] }

for (const compression of compressions) {
  test.serial(
    `${compression}: the bytes do not depend on the number of threads, and give back the image`,
    async (t) => {
      const folder = await scratch(t)
      const image = join(folder, 'a.img')
      await makeImage(image)
      const events: PibakeEvent[] = []
      const compress = async (threads: number) => {
        const destination = join(folder, `${threads}.img.${compression}`)
        const emit = (event: PibakeEvent): unknown => events.push(event)
        const result = await compressImage({ tools, image, compression, destination, threads, emit, stepId: 'x' })
        t.is(result.sizeBytes, (await stat(destination)).size)
        t.is(result.sha256, await hashFile(destination))
        return result.sha256
      }
      const digests = [await compress(1), await compress(3)]
      t.is(new Set(digests).size, 1)

      const script = `${unpackers[compression].join(' ')} "$1" | sha256sum`
      const archive = join(folder, `3.img.${compression}`)
      const { stdout } = await runTool(tools, ['bash', '-c', script, 'sh', archive], { readOnly: [archive] })
      t.is(stdout.split(' ')[0], await hashFile(image))

      const progress = events.flatMap((event) => (event.type === 'step-progress' ? [event] : []))
      t.deepEqual([progress.at(-1)?.done, progress.at(-1)?.total], [sizeBytes, sizeBytes])
      // zstd may be done before anybody looks.
      if (compression === 'xz') t.true(progress.some(({ done }) => done > 0 && done < sizeBytes))
    },
  )

  test.serial(`${compression}: interrupted, the older archive stays and nothing else is left`, async (t) => {
    const folder = await scratch(t)
    const image = join(folder, 'a.img')
    const destination = `${image}.${compression}`
    await makeImage(image)
    await writeFile(destination, 'older')
    const controller = new AbortController()
    const { signal } = controller
    const emit = (): void => controller.abort()
    const running = compressImage({ tools, image, compression, destination, emit, stepId: 'x', signal })
    await t.throwsAsync(running, { code: 'INTERRUPTED' })
    t.is(await readFile(destination, 'utf8'), 'older')
    t.deepEqual(readdirSync(folder).sort(), ['a.img', `a.img.${compression}`])
  })
}
