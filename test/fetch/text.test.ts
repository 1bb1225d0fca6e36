import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { answers, askOverHttp, fetchText } from '../../builder/fetch/text.ts'

const serve = async (listener: RequestListener) => {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    base: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('text, a redirection, and what is not there', async (t) => {
  await using server = await serve((request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: '/here' }).end()
    else if (request.url === '/here') response.end('text')
    else response.writeHead(404).end('no')
  })
  t.is(await fetchText(`${server.base}/here`), 'text')
  t.is(await fetchText(`${server.base}/moved`), 'text')
  t.is(await fetchText(`${server.base}/absent`), undefined)
  t.true(await answers(`${server.base}/moved`))
  t.false(await answers(`${server.base}/absent`))
})

test('doctor is told what an address lacks', async (t) => {
  await using server = await serve((request, response) => {
    if (request.url === '/moved') response.writeHead(301, { location: '/here' }).end()
    else response.writeHead(request.url === '/here' ? 200 : 404).end()
  })
  t.is(await askOverHttp(`${server.base}/here`), undefined)
  t.is(await askOverHttp(`${server.base}/moved`), undefined)
  t.is(await askOverHttp(`${server.base}/gone`), 'it answers with status 404')
  t.regex((await askOverHttp('http://127.0.0.1:1/')) ?? '', /ECONNREFUSED/)
  t.regex((await askOverHttp('http://localhost:1/')) ?? '', /ECONNREFUSED/)
  await t.throwsAsync(askOverHttp(`${server.base}/here`, AbortSignal.abort()), { name: 'AbortError' })
})

test('redirections without an end are no content', async (t) => {
  await using server = await serve((request, response) =>
    response.writeHead(302, { location: `${request.url}again` }).end(),
  )
  const error = await t.throwsAsync(fetchText(server.base), { instanceOf: PibakeError, code: 'NETWORK' })
  t.regex(error?.message ?? '', /status 302/)
})

test('a server that stumbles is asked again', async (t) => {
  let count = 0
  await using server = await serve((_request, response) => {
    count += 1
    if (count < 2) response.writeHead(503).end()
    else response.end('text')
  })
  t.is(await fetchText(server.base), 'text')
  t.is(count, 2)
})

test('a server that stays broken, or is not there, is named', async (t) => {
  await using server = await serve((_request, response) => response.writeHead(500).end())
  const broken = await t.throwsAsync(fetchText(`${server.base}/x`), { instanceOf: PibakeError })
  t.is(broken?.code, 'NETWORK')
  t.true(broken?.message.includes(`${server.base}/x`) && broken.message.includes('500'))
  const absent = await t.throwsAsync(fetchText('http://127.0.0.1:9/x'), { instanceOf: PibakeError })
  t.is(absent?.code, 'NETWORK')
  t.false(await answers('http://127.0.0.1:9/x'))
})

test('an interruption ends it', async (t) => {
  await using server = await serve(() => {})
  // Left alone, the request would wait for ever.
  const error = await t.throwsAsync(fetchText(server.base, { signal: AbortSignal.timeout(50) }))
  t.is(error?.name, 'TimeoutError')
})
