import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { verifyImage } from '../../builder/boot/verify.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { scratch } from '../support/scratch.ts'

const content = 'an image'

const verify = async (t: ExecutionContext, digestFile: string | undefined, image: string | undefined = content) => {
  const path = join(await scratch(t), 'pub.img')
  if (image !== '') await writeFile(path, image)
  if (digestFile !== undefined) await writeFile(`${path}.sha256`, digestFile)
  const events: PibakeEvent[] = []
  const done = verifyImage(path, { emit: (event) => events.push(event) })
  return { path, events, done }
}

test('an image as its digest says is right, whatever name stands beside the digest', async (t) => {
  const { done, events } = await verify(t, `${hashBytes(content)}  other.img\n`)
  await t.notThrowsAsync(done)
  t.like(events.at(-1), { type: 'step-end', outcome: 'done' })
})

test('one flipped byte is named before the image is used', async (t) => {
  const { done, path, events } = await verify(t, `${hashBytes(content)}  pub.img\n`, 'an imagE')
  const error = await t.throwsAsync(done, { instanceOf: PibakeError })
  t.is(error?.code, 'IMAGE_INVALID')
  t.true(error?.message.includes(path))
  t.deepEqual(error?.details, [`found     ${hashBytes('an imagE')}`, `expected  ${hashBytes(content)}`])
  t.like(events.at(-1), { type: 'step-end', outcome: 'failed' })
})

test('without a digest the image is taken as it is, and that is said', async (t) => {
  const { done, events } = await verify(t, undefined)
  await t.notThrowsAsync(done)
  t.like(events, [{ type: 'notice', level: 'info' }])
  t.is(events.length, 1)
})

test('a digest file without a digest is refused', async (t) => {
  for (const text of ['', 'nonsense  pub.img\n', hashBytes(content).toUpperCase()]) {
    const error = await t.throwsAsync((await verify(t, text)).done, { instanceOf: PibakeError })
    t.is(error?.code, 'IMAGE_INVALID')
    t.true(error?.message.includes('.sha256'))
  }
})

test('a digest without its image is refused', async (t) => {
  const error = await t.throwsAsync((await verify(t, hashBytes(content), '')).done, { instanceOf: PibakeError })
  t.is(error?.code, 'IMAGE_INVALID')
  t.regex(error?.message ?? '', /cannot be read \(ENOENT\)/)
})
