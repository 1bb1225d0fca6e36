import { setTimeout as sleep } from 'node:timers/promises'
import { PibakeError } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import { formatDuration } from '../core/size.ts'
import { boards } from './board.ts'
import { createConsole, type GuestConsole, type RunOptions } from './console.ts'
import { quoteWord } from './protocol.ts'
import { type MachineRequest, startMachine } from './qemu.ts'
import { createSerialLog } from './serial.ts'

export interface BootRequest extends MachineRequest {
  emit: Emit
  /** Milliseconds for the whole boot; by default what the board's table gives. */
  timeoutMs?: number
  /** How long the last boot took, for the display. */
  expectedMs?: number
}

/** A booted image, owned by whoever booted it: disposal ends the machine and removes its disk. */
export interface Guest extends GuestConsole, AsyncDisposable {
  /** From the start of QEMU until the system was up. */
  bootMs: number
  /** `running` or `degraded`, as `systemctl is-system-running` said at the end of the boot. */
  state: 'running' | 'degraded'
  /** The last `lines` lines of a unit's journal; 50 by default. */
  journal(unit: string, lines?: number): Promise<string>
  /** Shut the system down and wait for the machine to end; ended by force after 90 s times the board's patience. */
  poweroff(): Promise<void>
  /** The last lines of the serial console. */
  consoleTail(): string[]
}

const poweroffMs = 90_000
/** The kernel's first words. Firmware and boot loader before it take what comes on any serial line for keys that are pressed. */
const kernelStarts = /\bLinux version \d/

export const whenAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

/** How long a kernel or system that has given up may still say why. */
const lastWordsMs = 1000

const bootFailed = ({ board, node }: BootRequest, what: string, tail: readonly string[]): PibakeError => {
  const who = node === undefined ? 'The image' : `The node \`${node.name}\``
  return new PibakeError('BOOT_FAILED', `${who} did not boot on ${boards[board].title}: ${what}.`, {
    hint: 'The end of its serial console is above; `pibake run` boots it for a look by hand.',
    details: tail.slice(-40),
  })
}

/** Ask until systemd says that the boot is over. */
const awaitSystem = async (run: GuestConsole['run'], endsAt: number, signal: AbortSignal): Promise<Guest['state']> => {
  for (;;) {
    const timeoutMs = Math.max(1000, endsAt - performance.now())
    const { output } = await run('systemctl is-system-running --wait', { timeoutMs, signal })
    const state = output.trim().split('\n').at(-1)
    if (state === 'running' || state === 'degraded') return state
    if (state === 'maintenance' || state === 'stopping') throw new Error(`the system is ${state}`)
    if (performance.now() >= endsAt) throw new Error('it was not up in time')
    await sleep(1000, undefined, { signal })
  }
}

/**
 * Boot an image in QEMU on a throwaway overlay and wait until its system is up. A panic, emergency mode or the end of
 * QEMU fail at once, all else by `timeoutMs`: `BOOT_FAILED` with the tail of the serial console.
 */
export const bootImage = (request: BootRequest): Promise<Guest> => {
  const { board, emit, node } = request
  const expectedMs = request.expectedMs ?? boards[board].expectedMs
  const step =
    node === undefined ? { id: 'boot', what: 'Boot' } : { id: `boot:${node.name}`, what: `Boot ${node.name}` }
  const title = `${step.what} on ${boards[board].title}`
  return runStep(emit, { id: step.id, title, expectedMs }, () => boot(request, step.id))
}

const boot = async (request: BootRequest, stepId: string): Promise<Guest> => {
  const { board, emit, timeoutMs = boards[board].bootTimeoutMs } = request
  const { patience } = boards[board]
  await using stack = new AsyncDisposableStack()
  const startedAt = performance.now()
  const machine = stack.use(await startMachine(request))
  const failed = new AbortController()
  const kernel = Promise.withResolvers<void>()
  const log = createSerialLog({
    onLine: (line) => {
      emit({ type: 'output', id: stepId, line })
      if (kernelStarts.test(line)) kernel.resolve()
    },
    onFatal: (meaning) => setTimeout(() => failed.abort(meaning), lastWordsMs),
  })
  machine.process.stdout.on('data', (chunk: Buffer) => log.write(chunk))
  machine.ended.then(({ exitCode, stderr }) => {
    for (const line of stderr.trim().split('\n')) log.write(Buffer.from(`${line}\n`))
    failed.abort(`QEMU ended with status ${exitCode ?? 'unknown'}`)
  })
  const timer = setTimeout(() => failed.abort(`it was not up within ${formatDuration(timeoutMs)}`), timeoutMs)
  stack.defer(() => clearTimeout(timer))
  const endsAt = startedAt + timeoutMs
  const signal = AbortSignal.any([failed.signal, ...(request.signal ? [request.signal] : [])])
  const console = createConsole(machine.shell, { patience })
  try {
    if (boards[board].firmware) await Promise.race([kernel.promise, whenAborted(signal)])
    await console.greet({ timeoutMs, signal })
    const state = await awaitSystem(console.run, endsAt, signal)
    clearTimeout(timer)
    const bootMs = performance.now() - startedAt
    const owned = stack.move()
    return {
      bootMs,
      state,
      run: (script, options) =>
        guarded(console.run(script, withSignal(options, signal)), failed.signal, request, log.tail),
      push: (path, bytes, mode, options) =>
        guarded(console.push(path, bytes, mode, withSignal(options, signal)), failed.signal, request, log.tail),
      journal: async (unit, lines = 50) =>
        (await console.run(`journalctl -b --no-pager -o short -n ${lines} -u ${quoteWord(unit)}`, { signal })).output,
      poweroff: async () => {
        console.run('systemctl poweroff').catch(() => {})
        await Promise.race([machine.ended, sleep(poweroffMs * patience, undefined, { ref: false })])
      },
      consoleTail: log.tail,
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    }
  } catch (error) {
    if (request.signal?.aborted) throw error
    // The end of QEMU closes its sockets a moment before it is seen.
    if (!failed.signal.aborted) await Promise.race([machine.ended, sleep(1000)])
    const reason = failed.signal.aborted ? String(failed.signal.reason) : messageOf(error)
    throw bootFailed(request, reason, log.tail())
  }
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message.replace(/\.$/, '') : String(error)

const withSignal = (options: RunOptions | undefined, signal: AbortSignal): RunOptions => ({
  ...options,
  signal: options?.signal ? AbortSignal.any([options.signal, signal]) : signal,
})

/** A command that fails because the machine is gone fails with the machine's reason. */
const guarded = async <T>(
  work: Promise<T>,
  failed: AbortSignal,
  request: BootRequest,
  tail: () => string[],
): Promise<T> => {
  try {
    return await work
  } catch (error) {
    if (!failed.aborted || request.signal?.aborted) throw error
    throw new PibakeError('BOOT_FAILED', `The guest ended while it was in use: ${String(failed.reason)}.`, {
      hint: 'The end of its serial console is above.',
      details: tail().slice(-40),
      cause: error,
    })
  }
}
