import { writeSync } from 'node:fs'
import { errnoOf } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { Sink } from './sink.ts'
import { colourful, type Paint, plainly } from './style.ts'

export interface ReporterOptions {
  json: boolean
  verbose: boolean
  color: boolean
  /** Keep a log below this folder. */
  log?: { folder: string; command: string; path?: string | undefined }
}

/** All that speaks to the user in one run of a command. */
export interface Reporter {
  emit: Emit
  /** The log of this run, where one is kept. */
  logPath: string | undefined
  /** Whether results may carry colours. */
  color: boolean
  /** Say why the command failed. A bug is logged even where no log was kept until now. */
  failure(error: unknown): void
  /** Standard output: the result of the command, as it is or, with `--json`, as one JSON value. */
  result(result: { data?: unknown; lines?: readonly string[] }): void
  /** End the live view and the log. */
  close(): void
}

/** Write all of a text, waiting where the reader is slow; a reader that has gone away is no failure. */
const writeAll = (fd: 1 | 2, text: string): void => {
  let rest = Buffer.from(text)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      if (errnoOf(error) === 'EPIPE') return
      if (errnoOf(error) !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}

/** Whether to colour: not with NO_COLOR (no-color.org), `--no-color`, a dumb terminal, or none. */
export const wantsColor = (options: {
  flag: boolean
  env: Readonly<Record<string, string | undefined>>
  isTerminal: boolean
}): boolean =>
  options.flag &&
  (options.env.NO_COLOR ?? '') === '' &&
  ((options.env.FORCE_COLOR ?? '') !== '' || (options.isTerminal && options.env.TERM !== 'dumb'))

const openScreen = async (options: ReporterOptions, paint: Paint): Promise<Sink> => {
  const write = (line: string): void => writeAll(2, `${line}\n`)
  if (options.json) {
    const { createJsonSink } = await import('./json.ts')
    return createJsonSink({ write, now: () => new Date() })
  }
  if (process.stderr.isTTY && process.env.TERM !== 'dumb') {
    const { createTerminalSink } = await import('./terminal.ts')
    return createTerminalSink({ stream: process.stderr, paint, verbose: options.verbose })
  }
  const { createPlainSink } = await import('./plain.ts')
  return createPlainSink({
    write,
    nowMs: () => performance.now(),
    defer: setImmediate,
    paint,
    verbose: options.verbose,
  })
}

/** The log, or undefined where the folder cannot be written: looking at a checkout of someone else must not fail. */
const openLogIfPossible = async (log: NonNullable<ReporterOptions['log']>) => {
  const { openLog } = await import('./log.ts')
  try {
    return openLog(log)
  } catch (error) {
    if (['EACCES', 'EROFS', 'EPERM', 'ENOSPC'].includes(errnoOf(error) ?? '')) return undefined
    throw error
  }
}

/** Set up the voice of one run: live view, plain lines or JSON on standard error, and the log. */
export const openReporter = async (options: ReporterOptions): Promise<Reporter> => {
  const paint = options.color ? colourful : plainly
  const screen = await openScreen(options, paint)
  const log = options.log ? await openLogIfPossible(options.log) : undefined
  let isClosed = false
  return {
    logPath: log?.path,
    color: options.color,
    emit(event) {
      if (isClosed) return
      log?.event(event)
      screen.event(event)
    },
    failure(error) {
      log?.failure(error, undefined)
      screen.failure(error, log?.path)
    },
    result({ data, lines }) {
      if (isClosed) return
      screen.close()
      if (options.json) writeAll(1, `${JSON.stringify(data ?? null, null, 2)}\n`)
      else if (lines && lines.length > 0) writeAll(1, `${lines.join('\n')}\n`)
    },
    close() {
      if (isClosed) return
      isClosed = true
      screen.close()
      log?.close()
    },
  }
}
