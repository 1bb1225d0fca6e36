import type { PibakeEvent } from '../core/event.ts'
import { formatDuration } from '../core/size.ts'
import { renderFailure } from './failure.ts'
import type { Sink } from './sink.ts'
import { advance, emptyView, flushCached, type Line } from './state.ts'
import type { Paint } from './style.ts'
import { describeProgress, renderLine } from './view.ts'

const leastPauseMs = 5000
const leastPercent = 10

type StartEvent = Extract<PibakeEvent, { type: 'step-start' }>
type ProgressEvent = Extract<PibakeEvent, { type: 'step-progress' }>

/**
 * Lines without cursor movements, for pipes and CI: one when a step begins, one when it ends, and between them its
 * progress at most every 5 s and every 10 %. `verbose` adds the output of commands. The first line of a step waits for
 * `defer` (a turn of the event loop), so that steps which end as cached at once are only summed up.
 */
export const createPlainSink = (options: {
  write: (line: string) => void
  nowMs: () => number
  defer: (say: () => void) => void
  paint: Paint
  verbose: boolean
}): Sink => {
  const { write, nowMs, paint, verbose } = options
  let state = emptyView
  const starting = new Map<string, StartEvent>()
  const said = new Map<string, { atMs: number; done: number }>()

  const writeLines = (lines: readonly Line[]): void => {
    for (const line of lines) if (line.kind !== 'output' || verbose) write(renderLine(line, paint))
  }

  const sayCached = (): void => {
    const flushed = flushCached(state)
    state = flushed.state
    writeLines(flushed.lines)
  }

  const sayStarts = (): void => {
    for (const { title, expectedMs } of starting.values()) {
      sayCached()
      const expected = expectedMs === undefined ? '' : `  (about ${formatDuration(expectedMs)})`
      write(`${paint('cyan', '>')} ${title}${paint('dim', expected)}`)
    }
    starting.clear()
  }

  const sayProgress = ({ id, done, total }: ProgressEvent): void => {
    const step = state.running.find((running) => running.id === id)
    if (!step) return
    const last = said.get(id) ?? { atMs: step.startedAtMs, done: 0 }
    const isFurther = total === 0 || (done - last.done) * 100 >= total * leastPercent
    if (!isFurther || nowMs() - last.atMs < leastPauseMs) return
    said.set(id, { atMs: nowMs(), done })
    write(`  ${step.title}: ${describeProgress(step, nowMs())}`)
  }

  return {
    event(event) {
      if (event.type === 'step-start') {
        starting.set(event.id, event)
        said.delete(event.id)
        options.defer(sayStarts)
      } else if (event.type === 'step-end' && event.outcome === 'cached') {
        starting.delete(event.id)
      } else if (event.type !== 'debug') {
        sayStarts()
      }
      const next = advance(state, event, nowMs())
      state = next.state
      if (event.type === 'step-progress') sayProgress(event)
      writeLines(next.lines)
    },
    failure(error, logPath) {
      sayCached()
      for (const line of renderFailure(error, { paint, logPath })) write(line)
    },
    close: sayCached,
  }
}
