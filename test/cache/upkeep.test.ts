import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { type Blobs, openBlobs } from '../../builder/cache/blobs.ts'
import { derive } from '../../builder/cache/derived.ts'
import { measureCache, pruneCache, verifyCache } from '../../builder/cache/upkeep.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { scratch } from '../support/scratch.ts'

const put = async (blobs: Blobs, text: string) => {
  await using blob = await blobs.beginBlob()
  await blob.write(Buffer.from(text))
  return (await blob.commit()).sha256
}

const fill = async (blobs: Blobs) => {
  const kept = await put(blobs, 'kept')
  const old = await put(blobs, 'older')
  const produce = (path: string): Promise<void> => writeFile(path, 'derived')
  const derived = await derive(blobs.folder, { key: hashBytes('key'), label: 'a layer' }, produce)
  return { kept, old, derived }
}

test('verifyCache reads all, returns what is damaged by its label and moves it aside', async (t) => {
  const blobs = openBlobs(await scratch(t))
  const { old, derived } = await fill(blobs)
  await writeFile(blobs.blobPath(old), 'OLDER')
  await writeFile(derived.path, 'DERIVED')
  let last = 0
  const verdict = await verifyCache(blobs, {
    labels: new Map([[old, 'nginx 1.2']]),
    stepId: 'verify',
    emit: (event) => {
      if (event.type === 'step-progress') last = event.done / event.total
    },
  })
  t.deepEqual(verdict, {
    checked: { files: 3, sizeBytes: 16 },
    corrupt: [
      { label: 'nginx 1.2', sha256: old },
      { label: 'a layer', sha256: derived.sha256 },
    ],
  })
  t.is(last, 1)
  const again = await verifyCache(blobs, { stepId: 'verify', emit: () => {} })
  t.deepEqual(again, { checked: { files: 1, sizeBytes: 4 }, corrupt: [] })
})

test('pruneCache removes what is not kept, says how much, and leaves parts in use', async (t) => {
  const blobs = openBlobs(await scratch(t))
  const { kept, old } = await fill(blobs)
  await mkdir(join(blobs.folder, 'incoming'), { recursive: true })
  await writeFile(join(blobs.folder, 'incoming', 'left.part'), '12345')
  await using inUse = await blobs.beginBlob()
  await inUse.write(Buffer.from('x'))
  const keep = { blobs: new Set([kept]), derived: new Set<never>() }
  const freed = await pruneCache(blobs, keep, { dryRun: true })
  t.is(freed.files, 4)
  t.true(await blobs.hasBlob(old))
  t.deepEqual(await pruneCache(blobs, keep), freed)
  t.true(await blobs.hasBlob(kept))
  t.false(await blobs.hasBlob(old))
  t.is((await readdir(join(blobs.folder, 'incoming'))).length, 1)
  t.is((await inUse.commit()).sizeBytes, 1)
})

test('measureCache sums each folder', async (t) => {
  const blobs = openBlobs(await scratch(t))
  await fill(blobs)
  const amounts = await measureCache(blobs.folder)
  t.deepEqual(amounts.blobs, { files: 2, sizeBytes: 9 })
  t.is(amounts.derived?.files, 2)
  t.deepEqual(await measureCache(join(blobs.folder, 'absent')), {})
})
