import type { Emit } from '../core/event.ts'
import { formatBytes } from '../core/size.ts'
import type { Group } from './offer.ts'

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

/** The requests of one visitor from the first until it is gone. */
interface Stay {
  startedMs: number
  lastMs: number
  files: number
  sentBytes: number
  /** What was last shown of it. */
  shownBytes: number
  path: string
}

/** One who asks, or has asked. */
export interface Visitor extends VisitorAccount {
  /** Requests under way. */
  open: number
  stay: Stay | undefined
}

/** A visitor counts as gone, and what it fetched is told, when it has asked for nothing for so long. */
const goneAfterMs = 5000
/** Addresses that are kept an account of; with more, the rest share one. Somebody may have a whole network of them. */
const mostVisitors = 1000

/** All visitors, each with a step that is shown while it is there. */
export interface Visitors {
  /** The one at an address. */
  at(address: string): Visitor
  /** It asks for this now. */
  arrive(visitor: Visitor, path: string): void
  /** Bytes have gone to it. */
  sent(visitor: Visitor, sizeBytes: number): void
  /** It has been sent all of a file. */
  fetched(visitor: Visitor, group: Group): void
  /** Show what has changed, and let go who has been silent for long. */
  refresh(): void
  /** Let all go. */
  close(): void
  /** In the order of their first request. */
  accounts(): VisitorAccount[]
}

const stepOf = ({ address }: Visitor): string => `visitor:${address}`

const filesOf = ({ files, sentBytes }: Stay): string =>
  `${files} ${files === 1 ? 'file' : 'files'}, ${formatBytes(sentBytes)}`

/** Keep account of visitors, and tell of those who are there; `nowMs` is any monotonic clock. */
export const openVisitors = (emit: Emit, nowMs: () => number): Visitors => {
  const visitors = new Map<string, Visitor>()

  const depart = (visitor: Visitor): void => {
    const { stay } = visitor
    if (!stay) return
    visitor.stay = undefined
    const durationMs = stay.lastMs - stay.startedMs
    emit({ type: 'step-end', id: stepOf(visitor), outcome: 'done', durationMs, note: filesOf(stay) })
  }

  return {
    at(address) {
      const key = visitors.has(address) || visitors.size < mostVisitors ? address : 'others'
      const account = { address: key, programs: [], requests: 0, sentBytes: 0, files: {}, refused: 0 }
      const visitor = visitors.get(key) ?? { ...account, open: 0, stay: undefined }
      visitors.set(key, visitor)
      return visitor
    },
    arrive(visitor, path) {
      if (visitor.stay) {
        visitor.stay.path = path
        return
      }
      const atMs = nowMs()
      visitor.stay = { startedMs: atMs, lastMs: atMs, files: 0, sentBytes: 0, shownBytes: 0, path }
      emit({ type: 'step-start', id: stepOf(visitor), title: `${visitor.address} (${visitor.programs.join(', ')})` })
    },
    sent(visitor, sizeBytes) {
      visitor.sentBytes += sizeBytes
      if (!visitor.stay) return
      visitor.stay.sentBytes += sizeBytes
      visitor.stay.lastMs = nowMs()
    },
    fetched(visitor, group) {
      visitor.files[group] = (visitor.files[group] ?? 0) + 1
      if (visitor.stay) visitor.stay.files += 1
    },
    refresh() {
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
    },
    close() {
      for (const visitor of visitors.values()) depart(visitor)
    },
    accounts: () => [...visitors.values()].map(({ open: _open, stay: _stay, ...account }) => account),
  }
}
