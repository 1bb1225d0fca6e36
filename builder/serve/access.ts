import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Emit } from '../core/event.ts'
import type { Group, Offer } from './offer.ts'
import { plainAddress, programOf, shownPath } from './request.ts'
import { openVisitors, type Visitor, type VisitorAccount } from './visitors.ts'

/** Who fetched what, in the order of their first request, and what was refused before it was a request. */
export interface AccessSummary {
  visitors: VisitorAccount[]
  refused: Readonly<Record<string, number>>
  requests: number
  sentBytes: number
}

/** One request, from its arrival to the last byte of its answer. */
interface Visit {
  /** What was found for it. */
  offered(this: void, offer: Offer): void
  /** Answering went wrong. */
  failed(error: unknown): void
}

export interface AccessLog {
  begin(request: IncomingMessage, response: ServerResponse): Visit
  /** Something that never became a request. */
  refused(reason: string): void
  summary(): AccessSummary
  /** End what is shown of those who are there. */
  close(): void
}

const tickMs = 500

/** A connection with requests under way: several may wait on one, and its bytes count once. */
interface Connection {
  visitor: Visitor
  countedBytes: number
  requests: number
}

const hasContent = (status: number): boolean => status === 200 || status === 206

/** Bytes of content that an answer announces. */
const contentBytes = (request: IncomingMessage, response: ServerResponse): number =>
  request.method === 'HEAD' || response.statusCode === 304 ? 0 : Number(response.getHeader('content-length') ?? 0)

/** Keep account of requests, and tell of them: a step for each visitor that is there, an `access` event a request. */
export const openAccessLog = (emit: Emit, nowMs: () => number = () => performance.now()): AccessLog => {
  const visitors = openVisitors(emit, nowMs)
  const refusals = new Map<string, number>()
  const busy = new Map<Socket, Connection>()

  /** Count what has gone over a connection since it was last looked at. */
  const count = (socket: Socket, connection: Connection): void => {
    const sizeBytes = socket.bytesWritten - connection.countedBytes
    connection.countedBytes += sizeBytes
    if (sizeBytes > 0) visitors.sent(connection.visitor, sizeBytes)
  }

  const countAll = (): void => {
    for (const [socket, connection] of busy) count(socket, connection)
  }

  const enter = (socket: Socket, visitor: Visitor): Connection => {
    const connection = busy.get(socket) ?? { visitor, countedBytes: socket.bytesWritten, requests: 0 }
    busy.set(socket, connection)
    connection.requests += 1
    visitor.requests += 1
    visitor.open += 1
    return connection
  }

  const leave = (socket: Socket, connection: Connection): void => {
    count(socket, connection)
    connection.requests -= 1
    if (connection.requests === 0) busy.delete(socket)
    connection.visitor.open -= 1
  }

  const timer = setInterval(() => {
    countAll()
    visitors.refresh()
  }, tickMs)
  timer.unref()

  return {
    begin(request, response) {
      const { socket, method = '' } = request
      const visitor = visitors.at(plainAddress(socket.remoteAddress))
      const program = programOf(request.headers['user-agent'])
      if (!visitor.programs.includes(program)) visitor.programs.push(program)
      const path = shownPath(request.url ?? '')
      visitors.arrive(visitor, path)
      const startedMs = nowMs()
      const before = socket.bytesWritten
      const connection = enter(socket, visitor)
      let group: Group | undefined
      response.once('close', () => {
        leave(socket, connection)
        const { statusCode: status, writableFinished: isWhole } = response
        if (group !== undefined && isWhole && hasContent(status)) visitors.fetched(visitor, group)
        if (status >= 400) visitor.refused += 1
        const whole = contentBytes(request, response)
        const sentBytes = isWhole ? whole : Math.min(whole, socket.bytesWritten - before)
        const durationMs = Math.round(nowMs() - startedMs)
        emit({ type: 'access', client: visitor.address, program, method, path, status, sentBytes, isWhole, durationMs })
      })
      return {
        offered: (offer) => {
          group = offer.group
        },
        failed: (error) => {
          const said = error instanceof Error ? error.message : String(error)
          emit({ type: 'notice', level: 'warn', message: `\`${path}\` could not be sent: ${said}` })
        },
      }
    },
    refused(reason) {
      refusals.set(reason, (refusals.get(reason) ?? 0) + 1)
    },
    summary() {
      const accounts = visitors.accounts()
      const sum = (read: (account: VisitorAccount) => number): number =>
        accounts.reduce((total, account) => total + read(account), 0)
      return {
        visitors: accounts,
        refused: Object.fromEntries(refusals),
        requests: sum(({ requests }) => requests),
        sentBytes: sum(({ sentBytes }) => sentBytes),
      }
    },
    close() {
      clearInterval(timer)
      countAll()
      visitors.close()
    },
  }
}
