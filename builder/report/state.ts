import type { PibakeEvent } from '../core/event.ts'
import { addSample, type Samples } from './rate.ts'
import { cleanLine } from './style.ts'

/** A step that is under way. */
export interface RunningStep {
  id: string
  title: string
  startedAtMs: number
  expectedMs: number | undefined
  progress: { done: number; total: number; unit: 'bytes' | 'items'; note: string | undefined } | undefined
  samples: Samples
  lastLine: string | undefined
}

/** What stays on the screen: said once, in order. */
export type Line =
  | {
      kind: 'step'
      title: string
      outcome: 'done' | 'failed' | 'skipped'
      durationMs: number
      note: string | undefined
    }
  | { kind: 'cached'; titles: readonly string[] }
  | { kind: 'notice'; level: 'info' | 'warn'; message: string }
  | { kind: 'output'; text: string }

/** All that the live view shows: the running steps, and the cached ones that are not summed up yet. */
export interface ViewState {
  running: readonly RunningStep[]
  cached: readonly string[]
}

export const emptyView: ViewState = { running: [], cached: [] }

/** The summary of the cached steps seen so far, to be said before anything else is. */
export const flushCached = (state: ViewState): { state: ViewState; lines: readonly Line[] } =>
  state.cached.length === 0
    ? { state, lines: [] }
    : { state: { ...state, cached: [] }, lines: [{ kind: 'cached', titles: state.cached }] }

const changeStep = (state: ViewState, id: string, change: (step: RunningStep) => Partial<RunningStep>): ViewState => ({
  ...state,
  running: state.running.map((step) => (step.id === id ? { ...step, ...change(step) } : step)),
})

/** One event further: the state after it, and the lines that it adds for good. `nowMs` is any monotonic clock. */
export const advance = (
  state: ViewState,
  event: PibakeEvent,
  nowMs: number,
): { state: ViewState; lines: readonly Line[] } => {
  switch (event.type) {
    case 'step-start': {
      const step: RunningStep = {
        id: event.id,
        title: event.title,
        startedAtMs: nowMs,
        expectedMs: event.expectedMs,
        progress: undefined,
        samples: [],
        lastLine: undefined,
      }
      return { state: { ...state, running: [...state.running.filter(({ id }) => id !== event.id), step] }, lines: [] }
    }
    case 'step-progress': {
      const { done, total, unit, note } = event
      const change = (step: RunningStep): Partial<RunningStep> => ({
        progress: { done, total, unit, note },
        samples: addSample(step.samples, { atMs: nowMs, done }),
      })
      return { state: changeStep(state, event.id, change), lines: [] }
    }
    case 'output': {
      const text = cleanLine(event.line)
      return text === ''
        ? { state, lines: [] }
        : { state: changeStep(state, event.id, () => ({ lastLine: text })), lines: [{ kind: 'output', text }] }
    }
    case 'step-end': {
      const title = state.running.find(({ id }) => id === event.id)?.title ?? event.id
      const running = state.running.filter(({ id }) => id !== event.id)
      const { outcome, durationMs, note } = event
      if (outcome === 'cached') return { state: { running, cached: [...state.cached, title] }, lines: [] }
      const flushed = flushCached({ ...state, running })
      return { state: flushed.state, lines: [...flushed.lines, { kind: 'step', title, outcome, durationMs, note }] }
    }
    case 'notice': {
      const flushed = flushCached(state)
      const { level, message } = event
      return { state: flushed.state, lines: [...flushed.lines, { kind: 'notice', level, message }] }
    }
    case 'access':
    case 'debug':
      return { state, lines: [] }
  }
}
