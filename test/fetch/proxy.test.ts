import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import anyTest, { type ExecutionContext } from 'ava'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { downloadAll } from '../../builder/fetch/download.ts'
import { answers, askOverHttp, fetchText } from '../../builder/fetch/text.ts'
import { scratch } from '../support/scratch.ts'
import { serve } from './server.ts'

// They set variables of the whole process.
const test = anyTest.serial

const variables = ['http_proxy', 'https_proxy', 'no_proxy'].flatMap((name) => [name, name.toUpperCase()])
test.beforeEach(() => {
  for (const name of variables) delete process.env[name]
})

/** A proxy that leads to one server whatever it is asked for, and the hosts that it was asked for. */
const startProxy = async (t: ExecutionContext, target: string) => {
  const { port } = new URL(target)
  const seen: string[] = []
  const proxy = createServer((request, response) => {
    seen.push(new URL(request.url ?? '').hostname)
    response.end('through a proxy')
  })
  proxy.on('connect', (request, socket) => {
    seen.push((request.url ?? '').replace(/:\d+$/, ''))
    const upstream = connect(Number(port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      socket.pipe(upstream).pipe(socket)
    })
    upstream.on('error', () => socket.destroy())
    socket.on('error', () => upstream.destroy())
  })
  await new Promise<void>((resolve) => {
    proxy.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => proxy.close())
  return { host: `127.0.0.1:${(proxy.address() as AddressInfo).port}`, seen }
}

const download = async (t: ExecutionContext, url: string) =>
  downloadAll([{ label: 'x', urls: [url] }], {
    blobs: openBlobs(await scratch(t)),
    emit: () => {},
    stepId: 'fetch',
    retries: 0,
    stallTimeoutMs: 5000,
  })

for (const [what, scheme] of [
  ['', 'http://'],
  [', which may go without http://', ''],
] as const) {
  test(`every request goes through the proxy that http_proxy names${what}`, async (t) => {
    const server = await serve(t, (_request, response) => response.end('through a proxy'))
    const { host, seen } = await startProxy(t, server.address)
    process.env.http_proxy = scheme + host
    const { done } = await download(t, 'http://files.invalid/x')
    t.is(done[0]?.sha256, hashBytes('through a proxy'))
    t.is(await fetchText('http://texts.invalid/x'), 'through a proxy')
    t.is(await askOverHttp('http://doctor.invalid/x'), undefined)
    t.true(await answers('http://guess.invalid/x'))
    t.deepEqual(seen, ['files.invalid', 'texts.invalid', 'doctor.invalid', 'guess.invalid'])
  })
}

test('no_proxy excepts hosts', async (t) => {
  const server = await serve(t, (_request, response) => response.end('directly'))
  const { host, seen } = await startProxy(t, server.address)
  process.env.HTTP_PROXY = host
  process.env.no_proxy = 'other.invalid,127.0.0.1'
  t.is(await fetchText(`${server.address}/x`), 'directly')
  t.is(await askOverHttp(`${server.address}/x`), undefined)
  await download(t, `${server.address}/x`)
  t.deepEqual(seen, [])
})

test('a proxy without a usable address is named by its variable, and nothing of it is shown', async (t) => {
  process.env.http_proxy = 'ftp://me:secret@proxy.invalid'
  for (const work of [() => fetchText('http://m.invalid/x'), () => download(t, 'http://m.invalid/x')]) {
    const error = await t.throwsAsync(work(), { instanceOf: PibakeError, code: 'USAGE' })
    t.is(error?.message, 'The proxy in `http_proxy` or `https_proxy` has no address that can be used.')
  }
  t.regex((await askOverHttp('http://m.invalid/x')) ?? '', /^The proxy in `http_proxy`/)
})

test('what is in the cache needs no proxy', async (t) => {
  process.env.http_proxy = 'ftp://proxy.invalid'
  const options = { blobs: openBlobs(await scratch(t)), emit: () => {}, stepId: 'fetch' }
  t.deepEqual(await downloadAll([], options), { done: [], missing: [] })
})
