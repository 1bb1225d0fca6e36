import type { WriteStream } from 'node:tty'
import { createLogUpdate } from 'log-update'
import { renderFailure } from './failure.ts'
import type { Sink } from './sink.ts'
import { advance, emptyView, flushCached, type Line } from './state.ts'
import type { Paint } from './style.ts'
import { renderLine, renderLive } from './view.ts'

const frameMs = 100

/**
 * The live view of a terminal: finished steps scroll up, running ones are redrawn below them ten times a second.
 * `verbose` lets the output of commands scroll up too.
 */
export const createTerminalSink = (options: { stream: WriteStream; paint: Paint; verbose: boolean }): Sink => {
  const { stream, paint, verbose } = options
  const live = createLogUpdate(stream)
  const startedAtMs = performance.now()
  const nowMs = (): number => performance.now() - startedAtMs
  let state = emptyView

  const draw = (): void => {
    if (state.running.length === 0) {
      live.clear()
      return
    }
    // One column is left free: some terminals wrap as soon as the last one is filled.
    const width = Math.max(20, (stream.columns || 80) - 1)
    const height = Math.max(3, (stream.rows || 24) - 1)
    live(renderLive(state, { width, nowMs: nowMs(), paint }).slice(-height).join('\n'))
  }

  const say = (lines: readonly Line[]): void => {
    const shown = lines.filter(({ kind }) => kind !== 'output' || verbose)
    if (shown.length === 0) return
    live.clear()
    for (const line of shown) stream.write(`${renderLine(line, paint)}\n`)
    draw()
  }

  const sayCached = (): void => {
    const flushed = flushCached(state)
    state = flushed.state
    say(flushed.lines)
  }

  const timer = setInterval(() => {
    sayCached()
    if (state.running.length > 0) draw()
  }, frameMs)
  timer.unref()

  const settle = (): void => {
    clearInterval(timer)
    sayCached()
    live.clear()
    live.done()
    state = emptyView
  }

  return {
    event(event) {
      const next = advance(state, event, nowMs())
      state = next.state
      say(next.lines)
    },
    failure(error, logPath) {
      settle()
      for (const line of renderFailure(error, { paint, logPath })) stream.write(`${line}\n`)
    },
    close: settle,
  }
}
