import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { PibakeError } from '../core/error.ts'

const attempts = 3

/**
 * A small file from the network as text; undefined when the server says that it has none (404, 410). Other failures
 * are tried three times, then throw `NETWORK` naming the address.
 */
export const fetchText = async (url: string, options: { signal?: AbortSignal } = {}): Promise<string | undefined> => {
  let reason = ''
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    options.signal?.throwIfAborted()
    if (attempt > 1) await sleep(500 * attempt, undefined, options)
    try {
      const { statusCode, body } = await follow(url, options)
      const text = await body.text()
      if (statusCode === 404 || statusCode === 410) return undefined
      if (statusCode === 200) return text
      reason = `it answers with status ${statusCode}`
    } catch (error) {
      if (options.signal?.aborted) throw error
      reason = error instanceof Error ? error.message : String(error)
    }
  }
  throw new PibakeError('NETWORK', `\`${url}\` cannot be fetched: ${reason}.`, {
    hint: 'Check the network, or name another mirror with `--mirror`.',
  })
}

/** Whether there is something at an address; false as well when its server cannot be reached. */
export const answers = async (url: string): Promise<boolean> => {
  try {
    const { statusCode, body } = await follow(url, {})
    await body.dump()
    return statusCode === 200
  } catch {
    return false
  }
}

const follow = async (url: string, { signal }: { signal?: AbortSignal }) => {
  let address = url
  for (let hop = 0; hop < 5; hop += 1) {
    const timeouts = { headersTimeout: 30_000, bodyTimeout: 30_000 }
    const response = await request(address, { ...timeouts, ...(signal ? { signal } : {}) })
    const location = response.headers.location
    if (response.statusCode < 300 || response.statusCode > 399 || typeof location !== 'string') return response
    await response.body.dump()
    address = new URL(location, address).href
  }
  throw new Error('too many redirections')
}
