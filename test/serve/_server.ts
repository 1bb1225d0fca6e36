import { mkdir, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { fileContent } from '../../builder/serve/file.ts'
import { bytesOffer, type Offer, typeOf } from '../../builder/serve/offer.ts'
import { type Served, serveUntil } from '../../builder/serve/serve.ts'
import type { Limits } from '../../builder/serve/server.ts'
import { scratch } from '../support/scratch.ts'

/** A server of `pibake serve` for one test, on loopback. */
export interface Serving {
  port: number
  /** `http://127.0.0.1:<port>` */
  address: string
  folder: string
  events: PibakeEvent[]
  /** End it as Ctrl-C does, and what it then says. */
  end(): Promise<Served>
}

/** Serve these files at `/files/<name>`, each verified by its digest, and what `offers` adds. */
export const startServing = async (
  t: ExecutionContext,
  options: {
    files?: Readonly<Record<string, string | Buffer>>
    offers?: Readonly<Record<string, Offer>>
    limits?: Partial<Limits>
  } = {},
): Promise<Serving> => {
  const folder = await scratch(t)
  const offers = new Map<string, Offer>(Object.entries(options.offers ?? {}))
  if (!offers.has('/')) offers.set('/', bytesOffer('<h1>here</h1>', { group: 'pages', type: typeOf('.html') }))
  for (const [name, text] of Object.entries(options.files ?? {})) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
    const content = await fileContent(path, { sha256: hashBytes(text), isVerified: true })
    if (content) offers.set(`/files/${name}`, { content, group: 'Debian packages', type: typeOf(name) })
  }
  const share = { offers, images: 0, debianPackages: 0, npmPackages: 0, missing: 0 }
  const events: PibakeEvent[] = []
  const controller = new AbortController()
  const { promise: port, resolve, reject } = Promise.withResolvers<number>()
  const ended = serveUntil(share, {
    host: '127.0.0.1',
    port: 0,
    ...(options.limits ? { limits: options.limits } : {}),
    emit: (event) => events.push(event),
    signal: controller.signal,
    onListening: resolve,
  })
  ended.catch(reject)
  const end = (): Promise<Served> => {
    controller.abort()
    return ended
  }
  t.teardown(end)
  return { port: await port, address: `http://127.0.0.1:${await port}`, folder, events, end }
}

/** What came over a raw connection until the server closed it. */
export interface Exchange {
  text: string
  durationMs: number
}

/** Open a connection, let `say` use it, and wait for the server to close it. */
export const exchange = (port: number, say: (socket: Socket) => void): Promise<Exchange> =>
  new Promise((resolve) => {
    const startedMs = performance.now()
    const chunks: Buffer[] = []
    const socket = connect({ port, host: '127.0.0.1' }, () => say(socket))
    socket.on('data', (chunk) => chunks.push(chunk))
    // A reset is an end as well.
    socket.on('error', () => {})
    socket.on('close', () => {
      resolve({ text: Buffer.concat(chunks).toString('latin1'), durationMs: performance.now() - startedMs })
    })
  })

/** The first line of the answer to these bytes. */
export const firstLine = async (port: number, bytes: string): Promise<string> =>
  (await exchange(port, (socket) => socket.write(bytes))).text.split('\r\n', 1)[0] ?? ''
