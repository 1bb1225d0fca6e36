import { join } from 'node:path'
import type { Project } from '../core/project.ts'
import {
  type Probe,
  probeBinfmt,
  probeDisk,
  probeKvm,
  probeLoop,
  probeMemory,
  probeOverlay,
  probeRoot,
  probeSystem,
  probeUserNamespace,
} from './capabilities.ts'

/** An address that `pibake fetch` would use, to be tried. */
export interface Reachable {
  name: string
  /** Undefined when none is known; `fix` then says how to name one. */
  url: string | undefined
  fix: string
}

/** Why an address does not answer; undefined when it does. */
export type Ask = (url: string, signal: AbortSignal | undefined) => Promise<string | undefined>

/** Ask over HTTP with a timeout of 10 s; any answer of the server counts, but for its own failures. */
export const askOverHttp: Ask = async (url, signal) => {
  const timeout = AbortSignal.timeout(10_000)
  try {
    const response = await fetch(url, { method: 'HEAD', signal: signal ? AbortSignal.any([signal, timeout]) : timeout })
    return response.status < 400 ? undefined : `it answers with status ${response.status}`
  } catch (error) {
    if (signal?.aborted) throw error
    if (timeout.aborted) return 'no answer within 10 s'
    const cause = error instanceof Error ? error.cause : undefined
    return cause instanceof Error ? cause.message || String(cause) : String(error)
  }
}

const probeReachable = async ({ name, url, fix }: Reachable, ask: Ask, signal?: AbortSignal): Promise<Probe> => {
  if (url === undefined) return { name, state: 'warn', found: 'none is known', fix }
  const reason = await ask(url, signal)
  return reason === undefined
    ? { name, state: 'ok', found: `${url} answers`, fix: '' }
    : { name, state: 'warn', found: `${url}: ${reason}`, fix }
}

/** Try all that pibake needs of this machine. Unreachable addresses are warnings: a bake from a full cache needs none. */
export const examineHost = async (options: {
  project: Project
  reachable: readonly Reachable[]
  ask?: Ask
  signal?: AbortSignal
}): Promise<Probe[]> => {
  const { project, reachable, ask = askOverHttp, signal } = options
  const folder = join(project.state, 'doctor')
  return Promise.all([
    probeSystem(),
    probeRoot(),
    probeOverlay(folder, signal),
    probeLoop(signal),
    probeUserNamespace(signal),
    probeBinfmt(signal),
    probeDisk(project.root),
    probeMemory(),
    ...reachable.map((address) => probeReachable(address, ask, signal)),
    probeKvm(),
  ])
}
