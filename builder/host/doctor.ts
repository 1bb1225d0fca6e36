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
export type Ask = (url: string, signal?: AbortSignal) => Promise<string | undefined>

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
  ask: Ask
  signal?: AbortSignal
}): Promise<Probe[]> => {
  const { project, reachable, ask, signal } = options
  return Promise.all([
    probeSystem(),
    probeRoot(),
    probeOverlay(project.work, signal),
    probeLoop(signal),
    probeUserNamespace(signal),
    probeBinfmt(signal),
    probeDisk(project.root),
    probeMemory(),
    ...reachable.map((address) => probeReachable(address, ask, signal)),
    probeKvm(),
  ])
}
