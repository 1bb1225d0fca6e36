import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { projectBlobs } from '../../builder/cache/project-blobs.ts'
import { stickIndex } from '../../builder/cache/supply.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { scratch } from '../support/scratch.ts'

const wanted = (text: string) => ({ sha256: hashBytes(text), sizeBytes: Buffer.byteLength(text), label: `the ${text}` })

/** A cache folder, and a stick with these texts on it. */
const make = async (t: ExecutionContext, texts: readonly string[]) => {
  const [cache, stick] = [await scratch(t), await scratch(t)]
  const files = texts.map((text) => ({ path: `pool/${text}`, sizeBytes: text.length, sha256: hashBytes(text) }))
  for (const [index, { path }] of files.entries()) {
    await mkdir(dirname(join(stick, path)), { recursive: true })
    await writeFile(join(stick, path), texts[index] ?? '')
  }
  await mkdir(dirname(join(stick, stickIndex)), { recursive: true })
  await writeFile(join(stick, stickIndex), JSON.stringify({ format: 'any', files }))
  return { stick, blobs: projectBlobs({ cache, stick }) }
}

test('what the cache lacks and the stick has counts as there, and is copied when it is verified', async (t) => {
  const { blobs } = await make(t, ['deb', 'tgz'])
  const [deb, tgz] = [wanted('deb'), wanted('tgz')]
  t.true(await blobs.hasBlob(deb.sha256, 3))
  t.false(await blobs.hasBlob(deb.sha256, 4))
  t.false(await blobs.hasBlob(hashBytes('other')))
  t.is(await blobs.blobSize(deb.sha256), undefined)
  const events: PibakeEvent[] = []
  await blobs.verifyBlobs([deb, tgz, deb], { emit: (event) => void events.push(event) })
  t.is(await readFile(blobs.blobPath(deb.sha256), 'utf8'), 'deb')
  const steps = events.flatMap((event) => (event.type === 'step-start' ? [event.title] : []))
  t.deepEqual(steps, ['Take 2 files from the stick (6 B)'])
})

test('what the cache has is not copied again, and needs no stick', async (t) => {
  const { stick, blobs } = await make(t, ['deb'])
  const deb = wanted('deb')
  await blobs.verifyBlobs([deb])
  await rm(stick, { recursive: true })
  const events: PibakeEvent[] = []
  await blobs.verifyBlobs([deb], { emit: (event) => void events.push(event) })
  t.false(events.some(({ type }) => type === 'step-start'))
})

test('a file that is damaged on the stick is named and does not reach the cache', async (t) => {
  const { stick, blobs } = await make(t, ['deb'])
  const deb = wanted('deb')
  await writeFile(join(stick, 'pool/deb'), 'dEb')
  const error = await t.throwsAsync(blobs.verifyBlobs([deb]), { instanceOf: PibakeError })
  t.is(error?.code, 'KIT_INVALID')
  t.regex(error?.message ?? '', /`the deb` cannot be taken from the stick/)
  await t.throwsAsync(stat(blobs.blobPath(deb.sha256)))
})

test('a stick that was pulled out is told from a file that was never there', async (t) => {
  const { stick, blobs } = await make(t, ['deb'])
  t.true(await blobs.hasBlob(wanted('deb').sha256))
  await rm(stick, { recursive: true })
  const gone = await t.throwsAsync(blobs.verifyBlobs([wanted('deb')]), { instanceOf: PibakeError })
  t.is(gone?.code, 'KIT_INVALID')
  const missing = await t.throwsAsync(blobs.verifyBlobs([wanted('none')]), { instanceOf: PibakeError })
  t.is(missing?.code, 'MISSING_OFFLINE')
})

test("an index that cannot be read is the stick's fault", async (t) => {
  const { stick, blobs } = await make(t, [])
  await writeFile(join(stick, stickIndex), '{')
  const error = await t.throwsAsync(blobs.hasBlob(hashBytes('x')), { instanceOf: PibakeError })
  t.is(error?.code, 'KIT_INVALID')
})
