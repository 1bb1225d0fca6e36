import type { Emit } from '../core/event.ts'
import type { TimedStep } from '../page/waterfall-svg.ts'

/** What the steps of one run took, noted while their events pass by. */
export interface Timeline {
  emit: Emit
  /** Those that have ended well, in the order in which they began; milliseconds since the timeline was begun. */
  steps(): TimedStep[]
}

/** Note the steps that are told to `emit`, from now on. */
export const beginTimeline = (emit: Emit, now: () => number = () => performance.now()): Timeline => {
  const beganMs = now()
  const started = new Map<string, { title: string; startMs: number }>()
  const steps: TimedStep[] = []
  return {
    emit(event) {
      if (event.type === 'step-start') started.set(event.id, { title: event.title, startMs: now() - beganMs })
      else if (event.type === 'step-end' && (event.outcome === 'done' || event.outcome === 'cached')) {
        const { id, durationMs } = event
        const { title, startMs } = started.get(id) ?? { title: id, startMs: now() - beganMs }
        steps.push({ id, title, outcome: event.outcome === 'done' ? 'run' : 'cached', startMs, durationMs })
      }
      emit(event)
    },
    steps: () => steps.toSorted((a, b) => a.startMs - b.startMs),
  }
}
