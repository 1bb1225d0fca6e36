import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { AccessLog } from './access.ts'
import { type Answering, answer } from './answer.ts'
import { plainAddress } from './request.ts'

/** What visitors may use up. Times in milliseconds. */
export interface Limits {
  /** Connections at once, of everyone and of one address. */
  connections: number
  connectionsOfOne: number
  /** Requests that may wait on one connection, sent without waiting for answers: apt has ten on their way. */
  requestsOfConnection: number
  /** Bytes of a request's headers. */
  headerBytes: number
  /** From a request's first byte to the end of its headers, and to its end. */
  headersMs: number
  requestMs: number
  /** Without a byte in either direction: who does not read is not waited for. */
  idleMs: number
  /** After an answer, for the next request on the same connection. */
  keepAliveMs: number
  /** How often these times are looked at. */
  checkMs: number
}

/** Enough for a room full of people; a connection costs up to half a megabyte of memory while it is sent a file. */
const defaultLimits: Limits = {
  connections: 512,
  connectionsOfOne: 64,
  requestsOfConnection: 32,
  headerBytes: 8 * 1024,
  headersMs: 10_000,
  requestMs: 15_000,
  idleMs: 30_000,
  keepAliveMs: 5000,
  checkMs: 1000,
}

/** A server that listens. Disposal ends it at once, with whatever is under way. */
export interface RunningServer extends AsyncDisposable {
  port: number
}

const answerSafely = async (
  request: IncomingMessage,
  response: ServerResponse,
  { answering, access }: { answering: Answering; access: AccessLog },
): Promise<void> => {
  const visit = access.begin(request, response)
  try {
    await answer(request, response, answering, visit.offered)
  } catch (error) {
    // Visitors come and go as they like; only what fails here is told.
    if (!request.socket.destroyed && !response.headersSent) {
      visit.failed(error)
      response.writeHead(500, { 'content-length': 0, connection: 'close' }).end()
    } else {
      if (!isDeparture(error)) visit.failed(error)
      response.destroy()
    }
  }
}

const departures = new Set(['ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET', 'EPIPE', 'ERR_STREAM_DESTROYED', 'ABORT_ERR'])

const isDeparture = (error: unknown): boolean => departures.has(errnoOf(error) ?? '')

/** What is wrong with bytes that are no request, as a status. */
const statusOf = (error: unknown): number => {
  const code = errnoOf(error)
  if (code === 'HPE_HEADER_OVERFLOW') return 431
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
}

const refuse = (error: unknown, socket: Duplex, access: AccessLog): void => {
  if (isDeparture(error) || !socket.writable) {
    socket.destroy()
    return
  }
  const status = statusOf(error)
  access.refused(STATUS_CODES[status] ?? 'Bad Request')
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () =>
    socket.destroy(),
  )
}

/** Close connections of an address that has too many already. */
const limitAddresses = (server: Server, { connectionsOfOne }: Limits, access: AccessLog): void => {
  const open = new Map<string, number>()
  server.on('connection', (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress)
    const count = (open.get(address) ?? 0) + 1
    if (count > connectionsOfOne) {
      access.refused('Too many connections of one address')
      socket.destroy()
      return
    }
    open.set(address, count)
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1
      if (left > 0) open.set(address, left)
      else open.delete(address)
    })
  })
}

/** Answer requests, but close a connection on which too many wait: each holds a file open. */
const limitRequests = (
  { requestsOfConnection }: Limits,
  access: AccessLog,
  respond: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
) => {
  const waiting = new WeakMap<Socket, number>()
  return (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request
    const count = (waiting.get(socket) ?? 0) + 1
    if (socket.destroyed || count > requestsOfConnection) {
      if (!socket.destroyed) access.refused('Too many requests at once')
      socket.destroy()
      return
    }
    waiting.set(socket, count)
    response.once('close', () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1))
    void respond(request, response)
  }
}

const listenError = (cause: unknown, { host, port }: { host: string | undefined; port: number }): unknown => {
  const errno = errnoOf(cause)
  const place = host === undefined ? `port ${port}` : `\`${host}\`, port ${port}`
  const refusals: Readonly<Record<string, [reason: string, hint: string]>> = {
    EADDRINUSE: ['something else listens there', `Name another port: \`--port ${port < 65_535 ? port + 1 : 8001}\`.`],
    EACCES: ['ports below 1024 are for root', 'Name a higher one, such as `--port 8000`.'],
    EADDRNOTAVAIL: ['this machine does not have that address', 'Leave `--address` away to listen on all of them.'],
    ENOTFOUND: ['that is no address', 'Name one of this machine, or leave `--address` away.'],
    EAI_AGAIN: ['that is no address', 'Name one of this machine, or leave `--address` away.'],
  }
  const [reason, hint] = refusals[errno ?? ''] ?? []
  if (reason === undefined || hint === undefined) return cause
  return new PibakeError('USAGE', `Nothing can be served on ${place}: ${reason}.`, { hint, cause })
}

/**
 * Listen on `host` (all addresses of the machine when undefined) and answer until disposed. `port` 0 takes a free one.
 * Throws `USAGE` for a place that cannot be listened on.
 */
export const startServer = async (options: {
  host: string | undefined
  port: number
  answering: Answering
  access: AccessLog
  limits?: Partial<Limits>
}): Promise<RunningServer> => {
  const { host, port, answering, access } = options
  const limits = { ...defaultLimits, ...options.limits }
  const server = createServer({
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: limits.checkMs,
    noDelay: true,
  })
  server.maxConnections = limits.connections
  server.timeout = limits.idleMs
  const respond = (request: IncomingMessage, response: ServerResponse) =>
    answerSafely(request, response, { answering, access })
  server.on('request', limitRequests(limits, access, respond))
  server.on('clientError', (error, socket) => refuse(error, socket, access))
  server.on('drop', () => access.refused('Too many connections'))
  limitAddresses(server, limits, access)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(listenError(cause, { host, port })))
    server.listen({ port, ...(host === undefined ? {} : { host }) }, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
