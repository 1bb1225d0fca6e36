import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'

export interface TestServer {
  /** `http://127.0.0.1:<port>` */
  address: string
  /** What was asked, in order: path, and the Range header after a blank. */
  requests: string[]
}

/** A real HTTP server for one test; `answer` gets the number of the request as well, from 0. */
export const serve = async (
  t: ExecutionContext,
  answer: (request: IncomingMessage, response: ServerResponse, number: number) => void,
): Promise<TestServer> => {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push([request.url, request.headers.range].filter((word) => word !== undefined).join(' '))
    answer(request, response, requests.length - 1)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

/** Serve these files by their paths, as they are when they are asked for; all else is not found. */
export const serveFiles = (t: ExecutionContext, files: ReadonlyMap<string, Buffer>): Promise<TestServer> =>
  serve(t, (request, response) => {
    const content = files.get(request.url ?? '')
    if (content) sendRange(request, response, content)
    else response.writeHead(404).end()
  })

/** Answer with `content`, or with the part of it that a Range header asks for. */
export const sendRange = (request: IncomingMessage, response: ServerResponse, content: Buffer): void => {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  const headers = { 'content-length': content.length - start, etag: '"1"' }
  if (start === 0) response.writeHead(200, headers)
  else {
    const range = `bytes ${start}-${content.length - 1}/${content.length}`
    response.writeHead(206, { ...headers, 'content-range': range })
  }
  response.end(content.subarray(start))
}
