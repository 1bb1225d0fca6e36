import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Emit } from '../core/event.ts'
import { formatBytes } from '../core/size.ts'
import type { Group, Offer } from './offer.ts'
import { plainAddress, programOf } from './request.ts'

/** What one address has fetched. */
export interface VisitorAccount {
  address: string
  /** The programs that asked, by what they say of themselves. */
  programs: string[]
  requests: number
  /** Bytes that went to it, those of headers included. */
  sentBytes: number
  /** Whole answers with content, by what they were of. */
  files: Partial<Record<Group, number>>
  /** Requests for what is not there, or that were refused. */
  refused: number
}

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

/** A visitor counts as gone, and what it fetched is told, when it has asked for nothing for so long. */
const goneAfterMs = 5000
const tickMs = 500
/** Addresses that are kept an account of; with more, the rest share one. Somebody may have a whole network of them. */
const mostVisitors = 1000

/** The requests of one visitor from the first until it is gone. */
interface Stay {
  startedMs: number
  lastMs: number
  files: number
  sentBytes: number
  shownBytes: number
  path: string
}

interface Visitor extends VisitorAccount {
  open: number
  stay: Stay | undefined
}

interface Connection {
  visitor: Visitor
  countedBytes: number
  requests: number
}

const countsAsFile = (status: number): boolean => status === 200 || status === 206

/** Keep account of requests, and tell of them: a step for each visitor that is there, an `access` event a request. */
export const openAccessLog = (emit: Emit, nowMs: () => number = () => performance.now()): AccessLog => {
  const visitors = new Map<string, Visitor>()
  const refusals = new Map<string, number>()
  /** Connections with a request under way: several requests may wait on one, and its bytes count once. */
  const busy = new Map<Socket, Connection>()

  const visitorAt = (address: string): Visitor => {
    const key = visitors.has(address) || visitors.size < mostVisitors ? address : 'others'
    const found = visitors.get(key)
    if (found) return found
    const made: Visitor = {
      ...{ address: key, programs: [], requests: 0, sentBytes: 0, files: {}, refused: 0 },
      ...{ open: 0, stay: undefined },
    }
    visitors.set(key, made)
    return made
  }

  const stepOf = ({ address }: Visitor): string => `visitor:${address}`

  const arrive = (visitor: Visitor, path: string): Stay => {
    if (visitor.stay) return visitor.stay
    const atMs = nowMs()
    visitor.stay = { startedMs: atMs, lastMs: atMs, files: 0, sentBytes: 0, shownBytes: -1, path }
    emit({ type: 'step-start', id: stepOf(visitor), title: `${visitor.address} (${visitor.programs.join(', ')})` })
    return visitor.stay
  }

  const depart = (visitor: Visitor): void => {
    const { stay } = visitor
    if (!stay) return
    visitor.stay = undefined
    const note = `${stay.files} ${stay.files === 1 ? 'file' : 'files'}, ${formatBytes(stay.sentBytes)}`
    const durationMs = stay.lastMs - stay.startedMs
    emit({ type: 'step-end', id: stepOf(visitor), outcome: 'done', durationMs, note })
  }

  /** Count what has gone over a connection since it was last looked at. */
  const count = (socket: Socket, connection: Connection): void => {
    const { visitor } = connection
    const bytes = socket.bytesWritten - connection.countedBytes
    connection.countedBytes += bytes
    visitor.sentBytes += bytes
    if (!visitor.stay || bytes === 0) return
    visitor.stay.sentBytes += bytes
    visitor.stay.lastMs = nowMs()
  }

  const enter = (socket: Socket, visitor: Visitor): Connection => {
    const connection = busy.get(socket) ?? { visitor, countedBytes: socket.bytesWritten, requests: 0 }
    busy.set(socket, connection)
    connection.requests += 1
    visitor.open += 1
    return connection
  }

  const leave = (socket: Socket, connection: Connection): void => {
    const { visitor } = connection
    count(socket, connection)
    connection.requests -= 1
    if (connection.requests === 0) busy.delete(socket)
    visitor.open -= 1
    if (visitor.stay) visitor.stay.lastMs = nowMs()
  }

  const tick = (): void => {
    for (const [socket, connection] of busy) count(socket, connection)
    for (const visitor of visitors.values()) {
      const { stay } = visitor
      if (!stay) continue
      if (visitor.open === 0 && nowMs() - stay.lastMs > goneAfterMs) depart(visitor)
      else if (stay.shownBytes !== stay.sentBytes) {
        stay.shownBytes = stay.sentBytes
        const { sentBytes: done, path: note } = stay
        emit({ type: 'step-progress', id: stepOf(visitor), done, total: 0, unit: 'bytes', note })
      }
    }
  }
  const timer = setInterval(tick, tickMs)
  timer.unref()

  return {
    begin(request, response) {
      const visitor = visitorAt(plainAddress(request.socket.remoteAddress))
      const program = programOf(request.headers['user-agent'])
      if (!visitor.programs.includes(program)) visitor.programs.push(program)
      // The parser lets no blank and no control character into it.
      const path = (request.url ?? '').slice(0, 200)
      const stay = arrive(visitor, path)
      const startedMs = nowMs()
      const { socket } = request
      const before = socket.bytesWritten
      const connection = enter(socket, visitor)
      stay.path = path
      visitor.requests += 1
      let group: Group | undefined
      response.once('close', () => {
        leave(socket, connection)
        const { statusCode: status, writableFinished: isWhole } = response
        if (group !== undefined && isWhole && countsAsFile(status)) {
          visitor.files[group] = (visitor.files[group] ?? 0) + 1
          if (visitor.stay) visitor.stay.files += 1
        }
        if (status >= 400) visitor.refused += 1
        const announced = Number(response.getHeader('content-length') ?? 0)
        const whole = request.method === 'HEAD' || status === 304 ? 0 : announced
        emit({
          type: 'access',
          ...{ client: visitor.address, program, method: request.method ?? '', path, status },
          ...{ sentBytes: isWhole ? whole : Math.min(whole, socket.bytesWritten - before), isWhole },
          durationMs: Math.round(nowMs() - startedMs),
        })
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
      const accounts = [...visitors.values()].map(({ open: _open, stay: _stay, ...account }) => account)
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
      for (const [socket, connection] of busy) count(socket, connection)
      for (const visitor of visitors.values()) depart(visitor)
    },
  }
}
