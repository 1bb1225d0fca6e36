import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { PibakeError } from '../core/error.ts'
import { longestCommand, quoteWord, type Reply, runPieces, takeReply, toPieces, wrapLine } from './protocol.ts'
import { plainText } from './serial.ts'

export interface RunOptions {
  /** Milliseconds until the command is ended inside the guest; by default 60 000 times the console's patience. */
  timeoutMs?: number
  signal?: AbortSignal
  /** Told each line as the command prints it, and a few that belong to the shell. */
  onLine?: (line: string) => void
}

/** What a command in the guest printed (standard output and error in one) and its exit status. */
export interface GuestResult {
  output: string
  exitCode: number
  /** The command was ended because its time was over. */
  timedOut: boolean
}

/** A root shell on a byte stream. Commands are run one at a time, in the order they were asked for. */
export interface GuestConsole {
  /** Run a script of sh; its standard input is empty. Throws `BOOT_FAILED` when the shell does not answer. */
  run(script: string, options?: RunOptions): Promise<GuestResult>
  /** Write a file in the guest, byte for byte, with `mode` (octal). */
  push(path: string, bytes: Uint8Array, mode: number, options?: RunOptions): Promise<void>
}

const commandMs = 60_000
/** Beyond the guest's own limit: what a loaded emulated machine may need to answer at all. */
const leastAnswerMs = 60_000
const greetingMs = 2000
const keepBytes = 4 << 20
/** Of `timeout`: 124 or, from busybox, 143; 137 when the command ignored SIGTERM. */
const timeoutStatuses: ReadonlySet<number> = new Set([124, 137, 143])

/**
 * Replace the shell by one without prompt, line editing and job control, on a quiet terminal. Unquoted throughout: when
 * the terminal loses half of the line, no quotation stays open.
 */
const plainShell = '\nstty -echo -onlcr; exec env TERM=dumb LC_ALL=C.UTF-8 sh +i\n'

const newNonce = (): string => randomBytes(12).toString('hex')

const noAnswer = (reason: string, received: Buffer): PibakeError =>
  new PibakeError('BOOT_FAILED', `The guest's root shell ${reason}.`, {
    hint: 'Boot the image by hand with `pibake run` and look at its serial console.',
    details: plainText(received.toString()).split('\n').slice(-10),
  })

type LineSplitter = (chunk: Buffer) => void

const splitLines = (onLine: (line: string) => void): LineSplitter => {
  let rest = ''
  return (chunk) => {
    const parts = (rest + chunk.toString()).split(/\r*\n/)
    rest = parts.pop() ?? ''
    for (const line of parts) onLine(line)
  }
}

/**
 * Put commands to the shell at the other end of `stream`. Settings of the terminal do not matter: echo, prompts, line
 * ends and noise around the replies are left aside. `patience` (1 by default) multiplies how long it waits where the
 * caller says nothing, for a machine that is slower by so much.
 */
export const createConsole = (
  stream: Duplex,
  { patience = 1 }: { patience?: number } = {},
): GuestConsole & {
  /** Try until the shell answers; to be called first. `timeoutMs` bounds the whole wait. */
  greet(options: { timeoutMs: number; retryMs?: number; signal?: AbortSignal }): Promise<void>
} => {
  const answerMs = leastAnswerMs * patience
  let received: Buffer = Buffer.alloc(0)
  let closed = false
  let wake = (): void => {}
  let lines: LineSplitter | undefined
  stream.on('data', (chunk: Buffer) => {
    lines?.(chunk)
    received = Buffer.concat([received, chunk])
    if (received.length > keepBytes) received = received.subarray(received.length - keepBytes / 2)
    wake()
  })
  const close = (): void => {
    closed = true
    wake()
  }
  stream.on('close', close).on('end', close).on('error', close)

  const changed = (milliseconds: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
      if (closed) wake()
    })

  /** Wait for a reply to `nonce`; undefined when there is none in time. */
  const awaitReply = async (
    nonce: string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Reply | undefined> => {
    const endsAt = performance.now() + timeoutMs
    const abort = (): void => wake()
    signal?.addEventListener('abort', abort)
    try {
      for (;;) {
        const reply = takeReply(received, nonce)
        if (reply) {
          received = reply.rest
          return reply
        }
        if (signal?.aborted)
          throw new PibakeError('INTERRUPTED', 'Interrupted.', { hint: 'Run the same command again.' })
        if (closed) throw noAnswer('was cut off', received)
        const left = endsAt - performance.now()
        if (left <= 0) return undefined
        await changed(left)
      }
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  const exchange = async (line: string, timeoutMs: number, signal: AbortSignal | undefined): Promise<Reply> => {
    const nonce = newNonce()
    stream.write(wrapLine(line, nonce))
    const reply = await awaitReply(nonce, timeoutMs, signal)
    if (!reply) throw noAnswer(`did not answer within ${Math.round(timeoutMs / 1000)} s`, received)
    return reply
  }

  const sendPieces = async (line: (piece: string) => string, bytes: Uint8Array, signal: AbortSignal | undefined) => {
    for (const piece of toPieces(bytes)) {
      const { exitCode } = await exchange(line(piece), answerMs, signal)
      if (exitCode !== 0) return exitCode
    }
    return 0
  }

  let queue: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = queue.then(work)
    queue = result.catch(() => {})
    return result
  }

  const run = async (
    script: string,
    { timeoutMs = commandMs * patience, signal, onLine }: RunOptions = {},
  ): Promise<GuestResult> => {
    const bytes = Buffer.from(script)
    if (bytes.length > longestCommand) throw new Error(`a script of ${bytes.length} bytes: push it as a file`)
    await exchange('p=', answerMs, signal)
    await sendPieces((piece) => `p=\${p}${piece}`, bytes, signal)
    const startedAt = performance.now()
    lines = onLine && splitLines(onLine)
    const { output, exitCode } = await exchange(runPieces(timeoutMs / 1000), timeoutMs + answerMs, signal).finally(
      () => {
        lines = undefined
      },
    )
    const timedOut = timeoutStatuses.has(exitCode) && performance.now() - startedAt >= 0.98 * timeoutMs
    return { output: plainText(output.toString()).trimEnd(), exitCode, timedOut }
  }

  const push = async (path: string, bytes: Uint8Array, mode: number, { signal }: RunOptions = {}): Promise<void> => {
    const file = quoteWord(path)
    const steps = [
      () => sendPieces(() => `( : >${file} ) && chmod ${mode.toString(8)} ${file}`, Buffer.from('.'), signal),
      () => sendPieces((piece) => `printf %s ${piece} | base64 -d >>${file}`, bytes, signal),
    ]
    for (const step of steps) {
      const exitCode = await step()
      if (exitCode === 0) continue
      throw new PibakeError('BOOT_FAILED', `\`${path}\` could not be written in the guest (status ${exitCode}).`, {
        hint: 'Its folder must exist and have room.',
      })
    }
  }

  return {
    run: (script, options) => inTurn(() => run(script, options)),
    push: (path, bytes, mode, options) => inTurn(() => push(path, bytes, mode, options)),
    greet: ({ timeoutMs, retryMs = greetingMs * patience, signal }) =>
      inTurn(async () => {
        const endsAt = performance.now() + timeoutMs
        for (let attempt = 0; performance.now() < endsAt; attempt += 1) {
          // A shell with line editing may swallow what follows `exec`; so it stands alone, and not in each attempt.
          if (attempt % 2 === 0) {
            stream.write(plainShell)
            await awaitReply(newNonce(), Math.min(500, retryMs), signal)
          }
          const nonce = newNonce()
          stream.write(`\n${wrapLine(':', nonce)}`)
          if (await awaitReply(nonce, retryMs, signal)) return
        }
        throw noAnswer(`did not answer within ${Math.round(timeoutMs / 1000)} s`, received)
      }),
  }
}
