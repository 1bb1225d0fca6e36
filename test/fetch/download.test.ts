import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Blobs, openBlobs } from '../../builder/cache/blobs.ts'
import { asSha256, hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { type DownloadItem, type DownloadOptions, downloadAll } from '../../builder/fetch/download.ts'
import { scratch } from '../support/scratch.ts'
import { sendRange, serve } from './server.ts'

for (const name of ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY']) delete process.env[name]

const content = Buffer.alloc(300_000, 'pibake 0123456789 ')
const sha256 = hashBytes(content)
const sizeBytes = content.length
const integrityOf = (data: Buffer): string => `sha512-${createHash('sha512').update(data).digest('base64')}`

const setUp = async (t: ExecutionContext) => {
  const blobs = openBlobs(await scratch(t))
  const events: PibakeEvent[] = []
  const options: DownloadOptions = {
    blobs,
    emit: (event) => events.push(event),
    stepId: 'fetch',
    stallTimeoutMs: 20_000,
    retries: 2,
    backOffMs: 1,
  }
  return { blobs, events, options }
}

const filesBelow = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name)
}

const isWhole = async (t: ExecutionContext, blobs: Blobs): Promise<void> => {
  t.true((await readFile(blobs.blobPath(sha256))).equals(content))
  t.deepEqual(await filesBelow(join(blobs.folder, 'incoming')), [])
}

/** Announce all, send the first bytes, and cut the connection when the client has had time to take them. */
const cutAfter = (response: ServerResponse, bytes: number, start = 0): void => {
  response.writeHead(start === 0 ? 200 : 206, {
    'content-length': sizeBytes - start,
    ...(start === 0 ? {} : { 'content-range': `bytes ${start}-${sizeBytes - 1}/${sizeBytes}` }),
  })
  response.write(content.subarray(start, start + bytes), () => setTimeout(() => response.destroy(), 300))
}

const startOf = (request: IncomingMessage): number => Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0)

test('files come in parallel with their digests, progress ends at the total, a second run asks nothing', async (t) => {
  const { options, events, blobs } = await setUp(t)
  const bodies = new Map(
    Array.from({ length: 20 }, (_, index) => [`/pool/p${index}.deb`, Buffer.from(`body ${index}`)]),
  )
  const server = await serve(t, (request, response) => response.end(bodies.get(request.url ?? '')))
  const items = [...bodies].map(([path, body]) => ({
    label: path,
    urls: [server.address + path],
    sizeBytes: body.length,
    sha256: hashBytes(body),
  }))
  const { done, missing } = await downloadAll(items, options)
  t.deepEqual(missing, [])
  t.deepEqual(
    done.map(({ label, sha256, sizeBytes }) => ({ label, sha256, sizeBytes })),
    items.map(({ label, sha256, sizeBytes }) => ({ label, sha256, sizeBytes })),
  )
  t.is(done[3]?.item, items[3])
  const total = items.reduce((sum, item) => sum + item.sizeBytes, 0)
  t.like(events.at(-1), { type: 'step-progress', id: 'fetch', done: total, total, unit: 'bytes' })
  for (const item of items) t.is(await blobs.verifyBlob(item.sha256, item.sizeBytes, ''), blobs.blobPath(item.sha256))
  t.is(server.requests.length, 20)
  t.is((await downloadAll(items, options)).done.length, 20)
  t.is(server.requests.length, 20)
})

test('equal content is asked for once and returned for each item', async (t) => {
  const { options } = await setUp(t)
  const server = await serve(t, (request, response) => sendRange(request, response, content))
  const items = ['a', 'b'].map((label) => ({ label, urls: [`${server.address}/${label}`], sha256 }))
  const { done } = await downloadAll(items, options)
  t.deepEqual(
    done.map(({ label, sizeBytes }) => [label, sizeBytes]),
    [
      ['a', sizeBytes],
      ['b', sizeBytes],
    ],
  )
  t.is(server.requests.length, 1)
})

test('an integrity is checked, and the package is known by it afterwards', async (t) => {
  const { options, blobs } = await setUp(t)
  const server = await serve(t, (request, response) => sendRange(request, response, content))
  const items = [{ label: 'npm', urls: [`${server.address}/x.tgz`], integrity: integrityOf(content) }]
  t.like((await downloadAll(items, options)).done[0], { sha256, sizeBytes })
  t.is((await downloadAll(items, options)).done[0]?.sha256, sha256)
  t.is(server.requests.length, 1)
  await writeFile(blobs.blobPath(sha256), 'damaged')
  t.is((await downloadAll(items, options)).done[0]?.sha256, sha256)
  t.is(server.requests.length, 2)
  await isWhole(t, blobs)
  const wrong = [{ label: 'bad 1', urls: [`${server.address}/x.tgz`], integrity: integrityOf(Buffer.from('other')) }]
  await t.throwsAsync(downloadAll(wrong, options), { code: 'DOWNLOAD_CORRUPT', message: /bad 1.*\/x\.tgz/ })
})

test('what no address has is returned, what the second address has is taken', async (t) => {
  const { options, blobs } = await setUp(t)
  const server = await serve(t, (request, response) => {
    if (request.url === '/second/x') sendRange(request, response, content)
    else response.writeHead(request.url === '/gone' ? 410 : 404).end('no')
  })
  const items = [
    { label: 'absent', urls: [`${server.address}/a`, `${server.address}/gone`], sha256: hashBytes('a'), more: 1 },
    { label: 'moved', urls: [`${server.address}/first/x`, `${server.address}/second/x`], sha256, more: 2 },
  ]
  const { done, missing } = await downloadAll(items, { ...options, parallel: 1 })
  t.deepEqual(missing, [items[0]])
  t.is(missing[0]?.more, 1)
  t.deepEqual(
    done.map(({ label }) => label),
    ['moved'],
  )
  t.deepEqual(server.requests, ['/a', '/gone', '/first/x', '/second/x'])
  await isWhole(t, blobs)
})

test('a refusal is not repeated and ends in an error without the name of the server', async (t) => {
  const { options } = await setUp(t)
  const server = await serve(t, (_request, response) => response.writeHead(403).end())
  const error = await t.throwsAsync(
    downloadAll([{ label: 'nginx 1.2', urls: [`${server.address}/pool/nginx.deb`], sha256 }], options),
    { instanceOf: PibakeError, code: 'NETWORK' },
  )
  t.is(error?.message, '`nginx 1.2` (/pool/nginx.deb) could not be downloaded: the server answered with status 403.')
  t.is(server.requests.length, 1)
})

test('busy, then fine', async (t) => {
  const { options, blobs, events } = await setUp(t)
  const server = await serve(t, (request, response, number) => {
    if (number < 2) response.writeHead(503).end('busy')
    else sendRange(request, response, content)
  })
  await downloadAll([{ label: 'x', urls: [`${server.address}/x`], sha256, sizeBytes }], options)
  t.is(server.requests.length, 3)
  const again = 'asking again for x: the server answered with status 503'
  t.deepEqual(
    events.flatMap((event) => (event.type === 'debug' ? [event.message] : [])),
    [again, again],
  )
  await isWhole(t, blobs)
})

test('a connection that is cut goes on where it was, as long as it brings something', async (t) => {
  const { options, blobs } = await setUp(t)
  const step = 60_000
  const server = await serve(t, (request, response) => cutAfter(response, step, startOf(request)))
  await downloadAll([{ label: 'x', urls: [`${server.address}/x`], sha256, sizeBytes }], options)
  t.is(server.requests.length, 5)
  t.true(server.requests.slice(1).every((request) => request.startsWith('/x bytes=')))
  await isWhole(t, blobs)
})

test('what arrived before a failed run is not asked for again', async (t) => {
  const { options, blobs } = await setUp(t)
  const broken = await serve(t, (request, response) =>
    startOf(request) === 0 ? cutAfter(response, 100_000) : response.destroy(),
  )
  const item = (address: string) => [{ label: 'x', urls: [`${address}/x`], sha256, sizeBytes }]
  await t.throwsAsync(downloadAll(item(broken.address), options), { code: 'NETWORK', message: /cut after 100000 of/ })
  t.deepEqual(await filesBelow(blobs.folder), [`${sha256}.part`])
  const server = await serve(t, (request, response) => sendRange(request, response, content))
  await downloadAll(item(server.address), options)
  t.deepEqual(server.requests, ['/x bytes=100000-'])
  await isWhole(t, blobs)
})

const resumed = async (t: ExecutionContext, part: Buffer) => {
  const context = await setUp(t)
  await mkdir(join(context.blobs.folder, 'incoming'))
  await writeFile(join(context.blobs.folder, 'incoming', `${sha256}.part`), part)
  return context
}

const resumeCases: {
  title: string
  part: Buffer
  answer: (request: IncomingMessage, response: ServerResponse) => void
  requests: string[]
}[] = [
  {
    title: 'a server that ignores Range',
    part: content.subarray(0, 1000),
    answer: (_request, response) => response.end(content),
    requests: ['/x bytes=1000-'],
  },
  {
    title: 'a part with other bytes',
    part: Buffer.alloc(1000, 'other'),
    answer: (request, response) => sendRange(request, response, content),
    requests: ['/x bytes=1000-', '/x'],
  },
  {
    title: 'a part that is longer than the file',
    part: Buffer.concat([content, content]),
    answer: (request, response) => sendRange(request, response, content),
    requests: ['/x'],
  },
  {
    title: 'a part that is the whole file',
    part: content,
    answer: (_request, response) => response.writeHead(500).end(),
    requests: [],
  },
  {
    title: 'a server that sends another range',
    part: content.subarray(0, 1000),
    answer: (request, response) => {
      if (request.headers.range === undefined) response.end(content)
      else response.writeHead(206, { 'content-range': `bytes 0-9/${sizeBytes}` }).end(content.subarray(0, 10))
    },
    requests: ['/x bytes=1000-', '/x'],
  },
  {
    title: 'a server that does not have that range',
    part: content.subarray(0, 1000),
    answer: (request, response) => {
      if (request.headers.range === undefined) response.end(content)
      else response.writeHead(416).end()
    },
    requests: ['/x bytes=1000-', '/x'],
  },
]

for (const { title, part, answer, requests } of resumeCases) {
  test(`a download goes on after ${title}`, async (t) => {
    const { options, blobs } = await resumed(t, part)
    const server = await serve(t, answer)
    await downloadAll([{ label: 'x', urls: [`${server.address}/x`], sha256, sizeBytes }], options)
    t.deepEqual(server.requests, requests)
    await isWhole(t, blobs)
  })
}

const failures: {
  title: string
  code: 'NETWORK' | 'DOWNLOAD_CORRUPT'
  reason: RegExp
  requests: number
  known?: { sizeBytes?: undefined }
  stallTimeoutMs?: number
  answer: (request: IncomingMessage, response: ServerResponse) => void
}[] = [
  {
    title: 'always cuts at the same byte and ignores Range',
    code: 'NETWORK',
    reason: /the connection was cut after 1000 of 300000 bytes/,
    requests: 3,
    answer: (_request, response) => cutAfter(response, 1000),
  },
  {
    title: 'ends early without having announced a length',
    code: 'NETWORK',
    reason: /the connection was cut after 1000 of 300000 bytes/,
    requests: 3,
    answer: (_request, response) => {
      response.write(content.subarray(0, 1000))
      response.end()
    },
  },
  {
    title: 'never answers',
    code: 'NETWORK',
    reason: /the server stalled after 0 bytes/,
    requests: 3,
    stallTimeoutMs: 300,
    answer: () => {},
  },
  {
    title: 'stalls in the middle',
    code: 'NETWORK',
    reason: /the server stalled after \d+ bytes/,
    requests: 3,
    stallTimeoutMs: 500,
    answer: (_request, response) => {
      response.writeHead(200, { 'content-length': sizeBytes })
      response.write(content.subarray(0, 1000))
    },
  },
  {
    title: 'announces fewer bytes',
    code: 'DOWNLOAD_CORRUPT',
    reason: /the server announces 10 bytes instead of 300000/,
    requests: 2,
    answer: (_request, response) => response.writeHead(200, { 'content-length': 10 }).end(content.subarray(0, 10)),
  },
  {
    title: 'announces more bytes',
    code: 'DOWNLOAD_CORRUPT',
    reason: /the server announces 300001 bytes instead of 300000/,
    requests: 2,
    answer: (_request, response) => response.writeHead(200, { 'content-length': sizeBytes + 1 }).end(content),
  },
  {
    title: 'sends more bytes than expected',
    code: 'DOWNLOAD_CORRUPT',
    reason: /the server sends more than the expected 300000 bytes/,
    requests: 2,
    answer: (_request, response) => {
      response.write(content)
      response.end('and more')
    },
  },
  {
    title: 'sends other content of the right size',
    code: 'DOWNLOAD_CORRUPT',
    reason: new RegExp(`what came has the sha256 ${hashBytes(Buffer.alloc(sizeBytes, 'x'))} instead of ${sha256}`),
    requests: 2,
    answer: (_request, response) => response.end(Buffer.alloc(sizeBytes, 'x')),
  },
  {
    title: 'sends other content while the size is not known',
    code: 'DOWNLOAD_CORRUPT',
    reason: /what came has the sha256/,
    requests: 2,
    known: { sizeBytes: undefined },
    answer: (_request, response) => response.end('<html>please log in</html>'),
  },
]

for (const { title, code, reason, requests, answer, known, stallTimeoutMs } of failures) {
  test(`a clear error for a server that ${title}`, async (t) => {
    const { options, blobs } = await setUp(t)
    const server = await serve(t, answer)
    const item: DownloadItem = {
      label: 'nginx 1.2',
      urls: [`${server.address}/pool/nginx.deb`],
      sha256,
      sizeBytes,
      ...known,
    }
    const run = downloadAll([item], { ...options, ...(stallTimeoutMs === undefined ? {} : { stallTimeoutMs }) })
    const error = await t.throwsAsync(run, { instanceOf: PibakeError, code })
    t.regex(error?.message ?? '', reason)
    t.true(error?.message.startsWith('`nginx 1.2` (/pool/nginx.deb) '))
    t.false(JSON.stringify([error?.message, error?.hint, error?.details]).includes('127.0.0.1'))
    t.is(server.requests.length, requests)
    t.false(await blobs.hasBlob(sha256))
    t.deepEqual(await filesBelow(join(blobs.folder, 'blobs')), [])
  })
}

test('one that is corrupt does not keep the others from arriving; a bad mirror is made up for by the next', async (t) => {
  const { options, blobs } = await setUp(t)
  const server = await serve(t, (request, response) => {
    if (request.url?.startsWith('/bad')) response.end('corrupt')
    else sendRange(request, response, content)
  })
  const items = [
    { label: 'bad 1', urls: [`${server.address}/bad1`], sha256: hashBytes('1') },
    { label: 'bad 2', urls: [`${server.address}/bad2`], sha256: hashBytes('2') },
    { label: 'good', urls: [`${server.address}/bad3`, `${server.address}/good`], sha256, sizeBytes },
  ]
  const error = await t.throwsAsync(downloadAll(items, options), { instanceOf: PibakeError, code: 'DOWNLOAD_CORRUPT' })
  t.is(error?.message, '2 downloads are not what was expected.')
  t.deepEqual(error?.details.map((line) => line.slice(0, 13)).sort(), ['bad 1 (/bad1)', 'bad 2 (/bad2)'])
  await isWhole(t, blobs)
})

test('no server at all', async (t) => {
  const { options } = await setUp(t)
  const items = [{ label: 'x', urls: ['http://127.0.0.1:9/x'], sha256 }]
  await t.throwsAsync(downloadAll(items, options), { code: 'NETWORK', message: /the server accepts no connection/ })
})

test('redirects are followed, with the range', async (t) => {
  const { options, blobs } = await resumed(t, content.subarray(0, 1000))
  const server = await serve(t, (request, response) => {
    if (request.url === '/old') response.writeHead(302, { location: '/new' }).end()
    else sendRange(request, response, content)
  })
  await downloadAll([{ label: 'x', urls: [`${server.address}/old`], sha256, sizeBytes }], options)
  t.deepEqual(server.requests, ['/old bytes=1000-', '/new bytes=1000-'])
  await isWhole(t, blobs)
})

test('an unpinned file that changes while its download is cut is begun anew', async (t) => {
  const { options, blobs } = await setUp(t)
  const ranges: (string | undefined)[] = []
  const server = await serve(t, (request, response, number) => {
    ranges.push(request.headers['if-range']?.toString())
    if (number === 0) {
      response.writeHead(200, { 'content-length': 20, etag: '"old"' })
      response.write('old old ', () => response.destroy())
    } else response.writeHead(200, { etag: '"new"' }).end('new content')
  })
  const { done } = await downloadAll([{ label: 'InRelease', urls: [`${server.address}/InRelease`] }], options)
  t.is(done[0]?.sha256, hashBytes('new content'))
  t.deepEqual(ranges, [undefined, '"old"'])
  t.is(await readFile(blobs.blobPath(asSha256(done[0]?.sha256 ?? '')), 'utf8'), 'new content')
})

test('an interruption ends it at once and keeps what has arrived', async (t) => {
  const { options, blobs } = await setUp(t)
  const stop = new AbortController()
  const server = await serve(t, (_request, response) => {
    response.writeHead(200, { 'content-length': sizeBytes })
    response.write(content.subarray(0, 5000))
  })
  const run = downloadAll([{ label: 'x', urls: [`${server.address}/x`], sha256, sizeBytes }], {
    ...options,
    stallTimeoutMs: 60_000,
    signal: stop.signal,
    emit: () => stop.abort(),
  })
  await t.throwsAsync(run, { code: 'INTERRUPTED' })
  t.deepEqual(await filesBelow(blobs.folder), [`${sha256}.part`])
  await t.throwsAsync(downloadAll([], { ...options, signal: stop.signal }), { code: 'INTERRUPTED' })
})

test('a full disk is told as such and not retried', async (t) => {
  const { options, blobs } = await setUp(t)
  await mkdir(join(blobs.folder, 'incoming'))
  await symlink('/dev/full', join(blobs.folder, 'incoming', `${sha256}.part`))
  const server = await serve(t, (request, response) => sendRange(request, response, content))
  const items = [{ label: 'nginx 1.2', urls: [`${server.address}/x`], sha256, sizeBytes }]
  await t.throwsAsync(downloadAll(items, options), { code: 'DISK_FULL', message: /nginx 1\.2/ })
  t.is(server.requests.length, 1)
  t.false(await blobs.hasBlob(sha256))
})
