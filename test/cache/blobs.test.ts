import { mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import { type Blobs, openBlobs } from '../../builder/cache/blobs.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { scratch } from '../support/scratch.ts'

const content = Buffer.from('the content of a package\n')
const digest = hashBytes(content)

const put = async (blobs: Blobs, data: Buffer) => {
  await using blob = await blobs.beginBlob()
  await blob.write(data)
  return await blob.commit()
}

const listIncoming = (blobs: Blobs) => readdir(join(blobs.folder, 'incoming'))

test('a committed blob has its place, mode and content, and nothing stays in incoming', async (t) => {
  const blobs = openBlobs(await scratch(t))
  t.false(await blobs.hasBlob(digest))
  t.deepEqual(await put(blobs, content), { sha256: digest, sizeBytes: content.length })
  t.is(blobs.blobPath(digest), join(blobs.folder, 'blobs', digest.slice(0, 2), digest))
  t.deepEqual(await readFile(blobs.blobPath(digest)), content)
  t.is((await stat(blobs.blobPath(digest))).mode & 0o777, 0o644)
  t.deepEqual(await listIncoming(blobs), [])
  t.true(await blobs.hasBlob(digest, content.length))
  t.false(await blobs.hasBlob(digest, content.length + 1))
})

test('a blob with another digest is refused and leaves nothing', async (t) => {
  const blobs = openBlobs(await scratch(t))
  const error = await t.throwsAsync(
    async () => {
      await using blob = await blobs.beginBlob({ label: 'nginx 1.2' })
      await blob.write(Buffer.from('something else'))
      await blob.commit(digest)
    },
    { instanceOf: PibakeError, code: 'DOWNLOAD_CORRUPT' },
  )
  t.regex(error?.message ?? '', /nginx 1\.2/)
  t.false(await blobs.hasBlob(digest))
  t.deepEqual(await listIncoming(blobs), [])
})

test('a kept part is taken over by the next with the same key, by one at a time', async (t) => {
  const blobs = openBlobs(await scratch(t))
  {
    await using blob = await blobs.beginBlob({ resumeKey: digest })
    await blob.write(content.subarray(0, 10))
    blob.keep()
  }
  t.deepEqual(await listIncoming(blobs), [`${digest}.part`])
  await using first = await blobs.beginBlob({ resumeKey: digest })
  await using second = await blobs.beginBlob({ resumeKey: digest })
  t.is(first.sizeBytes, 10)
  t.is(second.sizeBytes, 0)
  await first.write(content.subarray(10))
  t.is((await first.commit(digest)).sizeBytes, content.length)
})

test('a part that a killed process left is taken over', async (t) => {
  const blobs = openBlobs(await scratch(t))
  await mkdir(join(blobs.folder, 'incoming'))
  await writeFile(join(blobs.folder, 'incoming', `${digest}.${2 ** 22 + 1}-00000000-1.part`), content.subarray(0, 5))
  await writeFile(join(blobs.folder, 'incoming', `${digest}.${process.ppid}-00000000-1.part`), 'of a running process')
  await using blob = await blobs.beginBlob({ resumeKey: digest })
  t.is(blob.sizeBytes, 5)
})

test('restart drops what was there', async (t) => {
  const blobs = openBlobs(await scratch(t))
  await using blob = await blobs.beginBlob()
  await blob.write(Buffer.from('wrong'))
  await blob.restart()
  await blob.write(content)
  t.is((await blob.commit(digest)).sha256, digest)
  t.deepEqual(await readFile(blobs.blobPath(digest)), content)
})

test('a flipped byte is found, named, moved aside and can be brought anew', async (t) => {
  const blobs = openBlobs(await scratch(t))
  await put(blobs, content)
  t.is(await blobs.verifyBlob(digest, content.length, 'nginx 1.2'), blobs.blobPath(digest))
  const damaged = Buffer.from(content)
  damaged[3] = (damaged[3] ?? 0) ^ 1
  await writeFile(blobs.blobPath(digest), damaged)
  await utimes(blobs.blobPath(digest), 1, 1)
  const error = await t.throwsAsync(blobs.verifyBlob(digest, content.length, 'nginx 1.2'), { instanceOf: PibakeError })
  t.is(error?.code, 'CACHE_CORRUPT')
  t.true(error?.message.includes('nginx 1.2') && error.message.includes(digest))
  t.regex(error?.hint ?? '', /pibake fetch/)
  t.false(await blobs.hasBlob(digest))
  t.is((await readdir(join(blobs.folder, 'corrupt'))).length, 1)
  await put(blobs, content)
  await t.notThrowsAsync(blobs.verifyBlob(digest, content.length, 'nginx 1.2'))
})

test('all that is wrong comes in one error, and progress covers all', async (t) => {
  const blobs = openBlobs(await scratch(t))
  const wanted = []
  for (const name of ['a', 'b', 'c', 'd']) {
    wanted.push({ label: `item-${name}`, ...(await put(blobs, Buffer.from(`content ${name}`))) })
  }
  const [, b, , d] = wanted
  if (!b || !d) throw new Error('four were put')
  await writeFile(blobs.blobPath(b.sha256), 'content B')
  await writeFile(blobs.blobPath(d.sha256), 'cut')
  const absent = { label: 'item-absent', sha256: digest, sizeBytes: 5 }
  const events: PibakeEvent[] = []
  const error = await t.throwsAsync(
    blobs.verifyBlobs([...wanted, absent], { emit: (event) => events.push(event), stepId: 'check' }),
    { instanceOf: PibakeError, code: 'CACHE_CORRUPT' },
  )
  const details = error?.details.join('\n') ?? ''
  for (const label of ['item-b', 'item-d', 'missing: item-absent']) t.true(details.includes(label), label)
  t.false(/item-a,|item-c/.test(details))
  t.like(events.at(-1), { type: 'step-progress', id: 'check', done: 41, total: 41, unit: 'bytes' })
})

test('what is missing is listed with its size', async (t) => {
  const blobs = openBlobs(await scratch(t))
  const error = await t.throwsAsync(blobs.verifyBlobs([{ label: 'gone 1', sha256: digest, sizeBytes: 2_000_000 }]), {
    instanceOf: PibakeError,
    code: 'MISSING_OFFLINE',
  })
  t.deepEqual(error?.details, [`gone 1, 2.0 MB, sha256 ${digest}`])
})

test('verification that is stopped ends as an interruption', async (t) => {
  const blobs = openBlobs(await scratch(t))
  await put(blobs, content)
  const wanted = [{ label: 'x', sha256: digest, sizeBytes: content.length }]
  await t.throwsAsync(blobs.verifyBlobs(wanted, { signal: AbortSignal.abort() }), { code: 'INTERRUPTED' })
})

test('a file is imported under its digest, and refused under another', async (t) => {
  const folder = await scratch(t)
  const blobs = openBlobs(join(folder, 'cache'))
  const path = join(folder, 'dropped.bin')
  await writeFile(path, content)
  t.deepEqual(await blobs.importFile(path, digest), { sha256: digest, sizeBytes: content.length })
  await t.throwsAsync(blobs.importFile(path, hashBytes('other')), { code: 'DOWNLOAD_CORRUPT' })
  t.deepEqual(await listIncoming(blobs), [])
})

test('a full disk is told as such, with nothing under the final name', async (t) => {
  const blobs = openBlobs(await scratch(t))
  await mkdir(join(blobs.folder, 'incoming'))
  await symlink('/dev/full', join(blobs.folder, 'incoming', `${digest}.part`))
  const error = await t.throwsAsync(
    async () => {
      await using blob = await blobs.beginBlob({ label: 'nginx 1.2', resumeKey: digest })
      await blob.write(content)
      await blob.commit(digest)
    },
    { instanceOf: PibakeError, code: 'DISK_FULL' },
  )
  t.regex(error?.message ?? '', /nginx 1\.2/)
  t.false(await blobs.hasBlob(digest))
  await t.throwsAsync(readdir(dirname(blobs.blobPath(digest))), { code: 'ENOENT' })
  t.deepEqual(await listIncoming(blobs), [])
})
