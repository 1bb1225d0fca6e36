import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { exitCodeOf, PibakeError } from '../../builder/core/error.ts'
import { type DeclaredArtifact, fetchArtifacts } from '../../builder/fetch/artifact.ts'
import { scratch } from '../support/scratch.ts'
import { serve } from './server.ts'

const sha256 = hashBytes('the tool')

const setUp = async (t: ExecutionContext, artifacts: DeclaredArtifact[]) => {
  const folder = await scratch(t)
  const blobs = openBlobs(join(folder, 'cache'))
  await mkdir(join(folder, 'stage'))
  await mkdir(join(blobs.folder, 'artifacts'), { recursive: true })
  const options = { blobs, emit: () => {}, stepId: 'artifacts', retries: 0, backOffMs: 1 }
  const stage = { name: 'mesh', folder: join(folder, 'stage'), artifacts }
  const run = () => fetchArtifacts([stage, { name: 'other', folder, artifacts: [] }], options)
  return { stage, blobs, run, dropped: join(blobs.folder, 'artifacts', 'tool.bin') }
}

const locked = { mesh: [{ name: 'tool', sha256, sizeBytes: 8 }], other: [] }

test('from an address, once', async (t) => {
  const server = await serve(t, (_request, response) => response.end('the tool'))
  const { run, blobs } = await setUp(t, [{ name: 'tool', sha256, url: `${server.address}/tool` }])
  t.deepEqual(await run(), locked)
  t.deepEqual(await run(), locked)
  t.deepEqual(server.requests, ['/tool'])
  t.is(await readFile(blobs.blobPath(sha256), 'utf8'), 'the tool')
})

test('from a file in the cache or in the stage', async (t) => {
  for (const place of ['cache', 'stage']) {
    const { run, dropped, stage } = await setUp(t, [{ name: 'tool', sha256, file: 'tool.bin' }])
    await t.throwsAsync(run(), { code: 'MISSING_OFFLINE', message: /`tool` of stage `mesh`/ })
    await writeFile(place === 'cache' ? dropped : join(stage.folder, 'tool.bin'), 'the tool')
    t.deepEqual(await run(), locked)
  }
})

test('a file with other content is refused with both digests', async (t) => {
  const { run, dropped, blobs } = await setUp(t, [{ name: 'tool', sha256, file: 'tool.bin' }])
  await writeFile(dropped, 'another')
  const error = await t.throwsAsync(run(), { instanceOf: PibakeError, code: 'DOWNLOAD_CORRUPT' })
  t.true(error?.message.includes(sha256) && error.message.includes(hashBytes('another')))
  t.false(await blobs.hasBlob(hashBytes('another')))
})

test('without a sha256 nothing is fetched; a dropped file is only shown', async (t) => {
  const server = await serve(t, (_request, response) => response.end('the tool'))
  const { run, dropped, blobs } = await setUp(t, [
    { name: 'tool', file: 'tool.bin' },
    { name: 'more', url: `${server.address}/x` },
    { name: 'fine', sha256, url: `${server.address}/fine` },
  ])
  const bare = await t.throwsAsync(run(), { instanceOf: PibakeError, code: 'ARTIFACT_UNPINNED' })
  t.is(exitCodeOf(bare), 2)
  t.deepEqual(bare?.details, ['mesh: tool', 'mesh: more'])
  t.notRegex(bare?.hint ?? '', /[0-9a-f]{64}/)
  await writeFile(dropped, 'the tool')
  const error = await t.throwsAsync(run(), { instanceOf: PibakeError, code: 'ARTIFACT_UNPINNED' })
  t.true(error?.hint.includes(`If you trust \`${dropped}\`, pin: \`sha256: ${sha256}\``))
  t.false(await blobs.hasBlob(sha256))
  t.deepEqual(server.requests, [])
})

test('an address that is gone', async (t) => {
  const server = await serve(t, (_request, response) => response.writeHead(404).end())
  const { run } = await setUp(t, [{ name: 'tool', sha256, url: `${server.address}/tool` }])
  await t.throwsAsync(run(), { code: 'NETWORK', message: /mesh: tool.*not found/ })
})
