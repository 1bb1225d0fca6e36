import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { boards } from './board.ts'
import { whenAborted } from './boot.ts'
import { createConsole } from './console.ts'
import { serveForwards } from './forwards.ts'
import { createKeyFilter } from './keys.ts'
import type { Forward } from './machine.ts'
import { type Machine, type MachineRequest, startMachine } from './qemu.ts'

/** What `pibake run` forwards when nothing else is asked for: SSH, the portal, Matrix and ssb's TCP port. */
export const defaultForwards: readonly Forward[] = [
  { guest: 22, host: 2222 },
  { guest: 80, host: 8080 },
  { guest: 8008, host: 8008 },
]

/** Where a person sits. */
export interface Terminal {
  input: Readable & { setRawMode?: (raw: boolean) => unknown }
  output: Writable
}

export interface RunRequest extends Omit<MachineRequest, 'forwards'> {
  /** Ports of the guest, and where people reach them on 127.0.0.1. */
  forwards: readonly Forward[]
  /** Folder for the unix sockets that lead into the network namespace; the same that `listenForwards` is given. */
  relayFolder: string
  terminal: Terminal
}

/** Ask the guest to shut down over its side channel; true when QEMU ended within 60 s times `patience`. */
const shutDown = async (machine: Machine, patience: number): Promise<boolean> => {
  const console = createConsole(machine.shell, { patience })
  const asked = console
    .greet({ timeoutMs: 15_000 * patience })
    .then(() => console.run('systemctl poweroff', { timeoutMs: 30_000 * patience }))
    .catch(() => {})
  await Promise.race([machine.ended, asked])
  return Promise.race([machine.ended.then(() => true), sleep(60_000 * patience, false, { ref: false })])
}

/** Lend the terminal to the guest's serial console; disposal gives it back. */
const attach = (machine: Machine, { input, output }: Terminal, onQuit: () => void): Disposable => {
  const filter = createKeyFilter(onQuit)
  const onTyped = (typed: Buffer): void => {
    machine.process.stdin.write(filter(typed))
  }
  const onPrinted = (printed: Buffer): void => {
    output.write(printed)
  }
  input.setRawMode?.(true)
  input.on('data', onTyped).resume()
  machine.process.stdout.on('data', onPrinted)
  return {
    [Symbol.dispose]: () => {
      input.off('data', onTyped).pause()
      machine.process.stdout.off('data', onPrinted)
      input.setRawMode?.(false)
    },
  }
}

/**
 * Boot an image on a throwaway overlay with its serial console on the terminal, until the guest powers off or the
 * person quits with Ctrl-A X or Ctrl-C (or `signal` fires): then the guest is shut down, on a second time at once.
 * Throws `IMAGE_INVALID` and `BOOT_FAILED`.
 */
export const runImage = async (request: RunRequest): Promise<void> => {
  const { board, forwards, relayFolder, terminal, signal } = request
  await using stack = new AsyncDisposableStack()
  const { inner } = stack.use(await serveForwards(forwards, relayFolder))
  const machine = stack.use(await startMachine({ ...request, forwards: inner, autologin: request.autologin ?? true }))
  const quit = new AbortController()
  const force = new AbortController()
  const onQuit = (): void => (quit.signal.aborted ? force : quit).abort()
  stack.use(attach(machine, terminal, onQuit))
  signal?.addEventListener('abort', onQuit)
  stack.defer(() => signal?.removeEventListener('abort', onQuit))
  if (signal?.aborted) onQuit()
  await Promise.race([machine.ended, whenAborted(quit.signal)])
  if (quit.signal.aborted) await Promise.race([shutDown(machine, boards[board].patience), whenAborted(force.signal)])
}
