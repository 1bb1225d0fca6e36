import { rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import { typeOf } from '../../builder/serve/offer.ts'
import { startServer } from '../../builder/serve/server.ts'
import { exchange, firstLine, startServing } from './_server.ts'

const deb = Buffer.alloc(300_000, 'pibake ')
const secret = 'only for this machine'

const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: laptop:8000\r\nConnection: close\r\n\r\n`

test('a file comes with its digest, and whole', async (t) => {
  const { address } = await startServing(t, { files: { 'a.deb': deb } })
  const answer = await fetch(`${address}/files/a.deb`)
  t.is(answer.status, 200)
  t.is(answer.headers.get('etag'), `"${hashBytes(deb)}"`)
  t.is(answer.headers.get('content-type'), 'application/vnd.debian.binary-package')
  t.is(answer.headers.get('content-length'), String(deb.length))
  t.is(answer.headers.get('x-content-type-options'), 'nosniff')
  t.deepEqual(Buffer.from(await answer.arrayBuffer()), deb)
})

test('HEAD says the same without the content', async (t) => {
  const { port } = await startServing(t, { files: { 'a.deb': deb } })
  const { text } = await exchange(port, (socket) =>
    socket.write('HEAD /files/a.deb HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
  )
  t.regex(text, /^HTTP\/1\.1 200 OK\r\n/)
  t.regex(text, new RegExp(`\r\ncontent-length: ${deb.length}\r\n`, 'i'))
  t.true(text.endsWith('\r\n\r\n'))
})

test('parts: what is left of a download, what lies behind its end, and what is no longer the same file', async (t) => {
  const { address } = await startServing(t, { files: { 'a.deb': deb } })
  const part = async (headers: Record<string, string>) => {
    const answer = await fetch(`${address}/files/a.deb`, { headers })
    return { answer, bytes: Buffer.from(await answer.arrayBuffer()) }
  }
  const rest = await part({ range: 'bytes=299990-', 'if-range': `"${hashBytes(deb)}"` })
  t.is(rest.answer.status, 206)
  t.is(rest.answer.headers.get('content-range'), 'bytes 299990-299999/300000')
  t.deepEqual(rest.bytes, deb.subarray(299_990))
  const behind = await part({ range: 'bytes=300000-' })
  t.is(behind.answer.status, 416)
  t.is(behind.answer.headers.get('content-range'), 'bytes */300000')
  const other = await part({ range: 'bytes=10-', 'if-range': '"of another file"' })
  t.is(other.answer.status, 200)
  t.deepEqual(other.bytes, deb)
})

test('who has the file already is told so', async (t) => {
  const { address } = await startServing(t, { files: { 'a.deb': deb } })
  const first = await fetch(`${address}/files/a.deb`)
  await first.arrayBuffer()
  const headers = { 'if-modified-since': first.headers.get('last-modified') ?? '' }
  for (const known of [headers, { 'if-none-match': `"${hashBytes(deb)}"` }]) {
    const answer = await fetch(`${address}/files/a.deb`, { headers: known })
    t.is(answer.status, 304)
    t.is((await answer.arrayBuffer()).byteLength, 0)
  }
})

test('texts name the server as the visitor does', async (t) => {
  const render = (host: string): string => `http://${host}/debian`
  const { port } = await startServing(t, {
    offers: { '/x.sources': { content: { kind: 'text', render }, group: 'pages', type: typeOf('.sources') } },
  })
  const { text } = await exchange(port, (socket) => socket.write(ask('/x.sources')))
  t.true(text.endsWith('\r\n\r\nhttp://laptop:8000/debian'))
})

for (const path of [
  '/files/../secret',
  '/files/../../../../../../../../etc/passwd',
  '/files/%2e%2e/secret',
  '/files/..%2fsecret',
  '/files/%2e%2e%2fsecret',
  '/files/..%5csecret',
  '/files//etc/passwd',
  '//etc/passwd',
  '/files/a.deb/../../secret',
  '/files/./a.deb',
  '/files/a.deb%00',
  '/files/a.deb/',
  '/files/',
  '/secret',
  '/__proto__',
  '/constructor',
]) {
  test(`no way around the table: \`${path}\``, async (t) => {
    const { port, folder } = await startServing(t, { files: { 'a.deb': deb } })
    await writeFile(join(folder, 'secret'), secret)
    const { text } = await exchange(port, (socket) => socket.write(ask(path)))
    t.regex(text, /^HTTP\/1\.1 404 Not Found\r\n/)
    t.false(text.includes(secret))
    t.false(text.includes('root:'))
  })
}

for (const [title, bytes, expected] of [
  ['an address of somewhere else', 'GET http://other.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
  ['a broken escape', 'GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
  ['a very long address', `GET /${'a'.repeat(3000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, 414],
  ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['headers without end', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}`, 431],
  ['an address without end', `GET /${'a'.repeat(20_000)}`, 431],
  ['many headers', `GET / HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(3000)}\r\n`, 431],
  ['an address that steers terminals', 'GET /\u009b2J\u00ff HTTP/1.1\r\nHost: x\r\n\r\n', 400],
  ['no HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 400],
  ['two lengths', 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
  ['a length and chunks', 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
] as const) {
  test(`refused: ${title}`, async (t) => {
    const { port } = await startServing(t)
    t.regex(await firstLine(port, bytes), new RegExp(`^HTTP/1\\.1 ${expected} `))
  })
}

for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
  test(`nothing can be done here but fetching: ${method}`, async (t) => {
    const { port, folder } = await startServing(t, { files: { 'a.deb': deb } })
    const { text } = await exchange(port, (socket) =>
      socket.write(`${method} /files/a.deb HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello`),
    )
    t.regex(text, /^HTTP\/1\.1 405 Method Not Allowed\r\n/)
    t.regex(text, /\r\nallow: GET, HEAD\r\n/)
    t.truthy(folder)
  })
}

test('it is no proxy', async (t) => {
  const { port } = await startServing(t)
  t.is(await firstLine(port, 'CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n'), '')
})

const hasty = { headersMs: 300, requestMs: 400, idleMs: 500, keepAliveMs: 200, checkMs: 50 }

test('who sends headers one by one is not waited for', async (t) => {
  const { port } = await startServing(t, { limits: hasty })
  const { text, durationMs } = await exchange(port, (socket) => {
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n')
    const timer = setInterval(() => socket.write('A: b\r\n'), 50)
    socket.on('close', () => clearInterval(timer))
  })
  t.regex(text, /^HTTP\/1\.1 408 /)
  t.true(durationMs < 3000, `${durationMs} ms`)
})

test('who says nothing is not waited for', async (t) => {
  const { port } = await startServing(t, { limits: hasty })
  const { durationMs } = await exchange(port, () => {})
  t.true(durationMs < 3000, `${durationMs} ms`)
})

test('who sends content without end is not waited for', async (t) => {
  const { port } = await startServing(t, { limits: hasty })
  const { durationMs } = await exchange(port, (socket) => {
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n')
    const timer = setInterval(() => socket.write('x'), 50)
    socket.on('close', () => clearInterval(timer))
  })
  t.true(durationMs < 3000, `${durationMs} ms`)
})

test('who fetches and does not read is not waited for, and costs little memory', async (t) => {
  const large = Buffer.alloc(64 * 1024 * 1024, 'x')
  const { port, end } = await startServing(t, { files: { large }, limits: { ...hasty, connectionsOfOne: 100 } })
  await firstLine(port, 'HEAD /files/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  const before = process.memoryUsage.rss()
  const sockets = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.pause()
      socket.write('GET /files/large HTTP/1.1\r\nHost: x\r\n\r\n')
      return socket
    }),
  )
  await sleep(300)
  const grownBytes = process.memoryUsage.rss() - before
  t.true(grownBytes < 100 * 1024 * 1024, `${grownBytes} bytes for 40 visitors`)
  await sleep(1500)
  const { sentBytes } = await end()
  t.true(sentBytes < 40 * large.length)
  for (const socket of sockets) socket.destroy()
})

test('one address gets so many connections, and others still come in', async (t) => {
  const { port, end } = await startServing(t, { limits: { connectionsOfOne: 5 } })
  const held = Array.from({ length: 5 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  await sleep(100)
  t.is(await firstLine(port, ask('/')), '')
  const status = await new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', localAddress: '127.0.0.9', path: '/' }, ({ statusCode }) => resolve(statusCode))
      .on('error', reject)
      .end()
  })
  t.is(status, 200)
  for (const socket of held) socket.destroy()
  t.deepEqual((await end()).refused, { 'Too many connections of one address': 1 })
})

test('all together get so many connections', async (t) => {
  const { port, end } = await startServing(t, { limits: { connections: 3 } })
  const held = Array.from({ length: 3 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  await sleep(100)
  t.is(await firstLine(port, ask('/')), '')
  for (const socket of held) socket.destroy()
  t.deepEqual((await end()).refused, { 'Too many connections': 1 })
})

test('requests may be sent ahead as apt does, but not by the hundred', async (t) => {
  const { port, end } = await startServing(t, { files: { 'a.deb': deb } })
  const few = await exchange(port, (socket) =>
    socket.write(`${'GET /files/a.deb HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(9)}${ask('/files/a.deb')}`),
  )
  t.is(few.text.match(/HTTP\/1\.1 200 OK/g)?.length, 10)
  t.true(few.text.length > 10 * deb.length)
  await exchange(port, (socket) => socket.write('GET /files/a.deb HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(500)))
  const { refused, sentBytes, visitors } = await end()
  t.deepEqual(refused, { 'Too many requests at once': 1 })
  t.is(visitors[0]?.files['Debian packages'], 10)
  t.true(sentBytes >= few.text.length && sentBytes < few.text.length + 40 * deb.length)
})

test('a file that changes while it is served is not sent, nor what a link in its place leads to', async (t) => {
  const { address, folder, events } = await startServing(t, { files: { a: 'one', b: 'two', c: 'three', d: 'four' } })
  await writeFile(join(folder, 'secret'), 'one')
  await rm(join(folder, 'a'))
  await symlink(join(folder, 'secret'), join(folder, 'a'))
  await writeFile(join(folder, 'new'), 'other')
  await rename(join(folder, 'new'), join(folder, 'b'))
  await rm(join(folder, 'c'))
  await utimes(join(folder, 'd'), 1, 1)
  for (const name of 'abcd') t.is((await fetch(`${address}/files/${name}`)).status, 503, name)
  t.is((await fetch(`${address}/files/a`)).status, 503)
  const warnings = events.filter((event) => event.type === 'notice' && event.level === 'warn')
  t.is(warnings.length, 4, 'each is told once')
})

test('a file that is damaged is not sent', async (t) => {
  const sha256 = hashBytes('whole')
  const { folder, address, events } = await startServing(t, { files: { good: 'whole' } })
  t.is((await fetch(`${address}/files/good`)).status, 200)
  const damaged = await startServing(t, {
    offers: {
      '/x': {
        content: {
          ...{ kind: 'file', path: join(folder, 'bad'), sha256, isVerified: true },
          ...(await (async () => {
            await writeFile(join(folder, 'bad'), 'whale')
            await utimes(join(folder, 'bad'), 5, 5)
            return { sizeBytes: 5, modifiedMs: 5000 }
          })()),
        },
        group: 'Debian packages',
        type: 'text/plain',
      },
    },
  })
  t.is((await fetch(`${damaged.address}/x`)).status, 503)
  t.true(damaged.events.some((event) => event.type === 'notice' && event.message.includes('is damaged')))
  t.deepEqual(
    events.filter((event) => event.type === 'notice' && event.level === 'warn'),
    [],
  )
})

test('what fails while a text is made is told here, not there', async (t) => {
  const render = (): string => {
    throw new Error('broken tarball')
  }
  const { address, events } = await startServing(t, {
    offers: { '/npm/x': { content: { kind: 'text', render }, group: 'npm packages', type: 'application/json' } },
  })
  const answer = await fetch(`${address}/npm/x`)
  t.is(answer.status, 500)
  t.is(await answer.text(), '')
  t.true(events.some((event) => event.type === 'notice' && event.message.includes('broken tarball')))
})

test('who fetched what: an event for each request, a step for each visitor, a sum at the end', async (t) => {
  const { address, events, end } = await startServing(t, { files: { 'a.deb': deb } })
  const headers = { 'user-agent': 'Debian APT-HTTP/1.3 (3.0.3)' }
  await (await fetch(`${address}/files/a.deb`, { headers })).arrayBuffer()
  await (await fetch(`${address}/gone?x`, { headers })).text()
  const served = await end()
  const accesses = events.filter((event) => event.type === 'access')
  t.deepEqual(
    accesses.map(({ client, program, method, path, status, sentBytes, isWhole }) => [
      ...[client, program, method, path, status],
      ...[sentBytes, isWhole],
    ]),
    [
      ['127.0.0.1', 'apt', 'GET', '/files/a.deb', 200, deb.length, true],
      ['127.0.0.1', 'apt', 'GET', '/gone?x', 404, 38, true],
    ],
  )
  const [visitor] = served.visitors
  t.is(served.visitors.length, 1)
  t.deepEqual(visitor?.files, { 'Debian packages': 1 })
  t.deepEqual(visitor?.programs, ['apt'])
  t.is(visitor?.requests, 2)
  t.is(visitor?.refused, 1)
  t.true((visitor?.sentBytes ?? 0) > deb.length)
  const steps = events.filter(({ type }) => type === 'step-start' || type === 'step-end')
  t.deepEqual(
    steps.map((event) => [event.type, 'id' in event ? event.id : '']),
    [
      ['step-start', 'serve'],
      ['step-start', 'visitor:127.0.0.1'],
      ['step-end', 'visitor:127.0.0.1'],
      ['step-end', 'serve'],
    ],
  )
})

test('the end comes at once, whatever is under way', async (t) => {
  const { port, end } = await startServing(t, { files: { large: Buffer.alloc(50_000_000) } })
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  socket.pause()
  socket.write('GET /files/large HTTP/1.1\r\nHost: x\r\n\r\n')
  await sleep(200)
  const startedMs = performance.now()
  const { requests } = await end()
  t.is(requests, 1)
  t.true(performance.now() - startedMs < 1000)
})

test('a port that is taken, and an address of another machine', async (t) => {
  const { port } = await startServing(t)
  const answering = { offers: new Map(), isGood: async () => true, onUnusable: () => {} }
  const access = { begin: () => t.fail(), refused: () => {}, summary: () => t.fail(), close: () => {} }
  const start = (host: string, wanted: number) =>
    startServer({ host, port: wanted, answering, access: access as never })
  await t.throwsAsync(start('127.0.0.1', port), { code: 'USAGE', message: /something else listens there/ })
  await t.throwsAsync(start('203.0.113.1', 0), { code: 'USAGE', message: /does not have that address/ })
})
