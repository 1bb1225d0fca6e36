import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Ask } from '../host/doctor.ts'
import { openConnections } from './connections.ts'

const attempts = 3

/**
 * A small file from the network as text; undefined when the server says that it has none (404, 410). Other failures
 * are tried three times, then throw `NETWORK` naming the address.
 */
export const fetchText = async (url: string, options: { signal?: AbortSignal } = {}): Promise<string | undefined> => {
  await using connections = openConnections()
  let reason = ''
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    options.signal?.throwIfAborted()
    if (attempt > 1) await sleep(500 * attempt, undefined, options)
    try {
      const { statusCode, body } = await connections.request(url, options)
      const text = await body.text()
      if (statusCode === 404 || statusCode === 410) return undefined
      if (statusCode === 200) return text
      reason = `it answers with status ${statusCode}`
    } catch (error) {
      if (options.signal?.aborted) throw error
      reason = reasonOf(error)
    }
  }
  throw new PibakeError('NETWORK', `\`${url}\` cannot be fetched: ${reason}.`, {
    hint: 'Check the network, or name another mirror with `--mirror`.',
  })
}

/** Whether there is something at an address; false as well when its server cannot be reached. */
export const answers = async (url: string, signal?: AbortSignal): Promise<boolean> =>
  (await askOverHttp(url, signal)) === undefined

/** Why an address does not answer to HEAD within 10 s; undefined when it does. Throws only when `signal` fires. */
export const askOverHttp: Ask = async (url, signal) => {
  const timeout = AbortSignal.timeout(10_000)
  try {
    await using connections = openConnections()
    const { statusCode, body } = await connections.request(url, {
      method: 'HEAD',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
    await body.dump()
    return statusCode < 400 ? undefined : `it answers with status ${statusCode}`
  } catch (error) {
    if (signal?.aborted) throw error
    return timeout.aborted ? 'no answer within 10 s' : reasonOf(error)
  }
}

/** An error for several addresses of one host has a code, but no text. */
const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message || (errnoOf(error) ?? error.name) : String(error)
