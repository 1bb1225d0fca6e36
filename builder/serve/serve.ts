import { once } from 'node:events'
import { checkContent } from '../cache/verify.ts'
import type { Emit } from '../core/event.ts'
import { formatBytes } from '../core/size.ts'
import { type AccessSummary, openAccessLog } from './access.ts'
import { lanAddresses } from './addresses.ts'
import type { Answering } from './answer.ts'
import { runLimited } from './limited.ts'
import type { FileContent } from './offer.ts'
import { type Limits, startServer } from './server.ts'
import type { Share } from './share.ts'

/** What came of serving. */
export interface Served extends AccessSummary {
  /** Under which others could reach it. */
  addresses: string[]
  durationMs: number
}

/** Files that are read at the same time to see whether they are whole; each takes a megabyte of memory. */
const verifiedAtOnce = 4

/** What answers need, with each file verified once, however many ask for it at the same time. */
const openAnswering = ({ offers }: Share, emit: Emit): Answering => {
  const verdicts = new Map<string, Promise<boolean>>()
  const told = new Set<string>()
  const limited = runLimited(verifiedAtOnce)
  const verify = async ({ path, sizeBytes, sha256 }: FileContent): Promise<boolean> =>
    sha256 === undefined || (await limited(() => checkContent(path, { sha256, sizeBytes }))) === 'good'
  return {
    offers,
    isGood: (content) => {
      const verdict = verdicts.get(content.path) ?? verify(content)
      verdicts.set(content.path, verdict)
      return verdict
    },
    onUnusable: (path, reason) => {
      if (told.has(path)) return
      told.add(path)
      const advice = reason === 'is damaged' ? '`pibake cache verify` sets aside what is.' : 'Start the server again.'
      emit({ type: 'notice', level: 'warn', message: `\`${path}\` ${reason} and is not sent. ${advice}` })
    },
  }
}

/** The addresses to tell people, given where the server listens. */
const addressesOf = (host: string | undefined, port: number): string[] => {
  const hosts = host === undefined ? lanAddresses().map((address) => address.host) : [host]
  return (hosts.length === 0 ? ['127.0.0.1'] : hosts).map((name) => `http://${bracketed(name)}:${port}/`)
}

const bracketed = (host: string): string => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host)

/**
 * Serve until `signal` fires, which is its good end, and return who fetched what. `onListening` is called with the port
 * when others can come. Throws `USAGE` for a place that cannot be listened on.
 */
export const serveUntil = async (
  share: Share,
  options: {
    /** Address of this machine to listen on; all when undefined. */
    host: string | undefined
    port: number
    limits?: Partial<Limits>
    emit: Emit
    signal: AbortSignal
    onListening?: (port: number) => void
  },
): Promise<Served> => {
  const { host, emit, signal } = options
  const startedMs = performance.now()
  const access = openAccessLog(emit)
  try {
    await using server = await startServer({ ...options, answering: openAnswering(share, emit), access })
    const addresses = addressesOf(host, server.port)
    const id = 'serve'
    for (const message of addresses) emit({ type: 'notice', level: 'info', message })
    emit({ type: 'step-start', id, title: `Serving on port ${server.port}; Ctrl-C ends it` })
    options.onListening?.(server.port)
    if (!signal.aborted) await once(signal, 'abort')
    access.close()
    const summary = access.summary()
    const durationMs = performance.now() - startedMs
    const note = `${summary.requests} requests, ${formatBytes(summary.sentBytes)}`
    emit({ type: 'step-end', id, outcome: 'done', durationMs, note })
    return { addresses, durationMs, ...summary }
  } finally {
    access.close()
  }
}
