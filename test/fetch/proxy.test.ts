import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import test from 'ava'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { downloadAll } from '../../builder/fetch/download.ts'
import { scratch } from '../support/scratch.ts'
import { serve } from './server.ts'

test('requests go through the proxy that http_proxy names', async (t) => {
  const server = await serve(t, (_request, response) => response.end('through a proxy'))
  const seen: string[] = []
  const { port } = new URL(server.address)
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    response.end('through a proxy')
  })
  proxy.on('connect', (request, socket) => {
    seen.push(`${request.method} ${request.url}`)
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
  for (const name of ['no_proxy', 'NO_PROXY']) delete process.env[name]
  process.env.http_proxy = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const { done } = await downloadAll([{ label: 'x', urls: ['http://mirror.invalid/x'] }], {
    blobs: openBlobs(await scratch(t)),
    emit: () => {},
    stepId: 'fetch',
    retries: 0,
    stallTimeoutMs: 5000,
  })
  t.is(done[0]?.sha256, hashBytes('through a proxy'))
  t.is(seen.length, 1)
  t.regex(seen[0] ?? '', /mirror\.invalid/)
})
