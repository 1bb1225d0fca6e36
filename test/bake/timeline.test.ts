import test from 'ava'
import { beginTimeline } from '../../builder/bake/timeline.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'

test('steps are noted as they went, and every event is passed on', (t) => {
  const events: PibakeEvent[] = []
  let clock = 1000
  const { emit, steps } = beginTimeline(
    (event) => events.push(event),
    () => clock,
  )
  const at = (atMs: number, event: PibakeEvent): void => {
    clock = 1000 + atMs
    emit(event)
  }
  at(100, { type: 'step-start', id: 'tools', title: 'Unpack the tools' })
  at(150, { type: 'step-progress', id: 'tools', done: 1, total: 2, unit: 'items' })
  at(300, { type: 'step-end', id: 'tools', outcome: 'done', durationMs: 200 })
  at(310, { type: 'step-end', id: 'base', outcome: 'cached', durationMs: 0 })
  at(320, { type: 'step-start', id: 'wiki', title: 'Stage: wiki' })
  at(400, { type: 'step-end', id: 'wiki', outcome: 'failed', durationMs: 80 })
  t.deepEqual(steps(), [
    { id: 'tools', title: 'Unpack the tools', outcome: 'run', startMs: 100, durationMs: 200 },
    { id: 'base', title: 'base', outcome: 'cached', startMs: 310, durationMs: 0 },
  ])
  t.is(events.length, 6)
})
