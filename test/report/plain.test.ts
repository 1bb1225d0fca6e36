import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { createPlainSink } from '../../builder/report/plain.ts'
import { plainly } from '../../builder/report/style.ts'

/** A sink with a clock to turn and a loop to pump. */
const openSink = (options: { verbose?: boolean } = {}) => {
  const written: string[] = []
  const waiting: (() => void)[] = []
  let clockMs = 0
  const sink = createPlainSink({
    write: (line) => written.push(line),
    nowMs: () => clockMs,
    defer: (say) => waiting.push(say),
    paint: plainly,
    verbose: options.verbose ?? false,
  })
  const turn = (): void => {
    for (const say of waiting.splice(0)) say()
  }
  const at = (atMs: number, event: PibakeEvent): void => {
    clockMs = atMs
    sink.event(event)
  }
  return { sink, written, turn, at }
}

test('one line at the start and one at the end', (t) => {
  const { written, turn, at } = openSink()
  at(0, { type: 'step-start', id: 'a', title: 'Bake', expectedMs: 40_000 })
  turn()
  at(100, { type: 'output', id: 'a', line: 'noise' })
  at(900, { type: 'step-end', id: 'a', outcome: 'done', durationMs: 900 })
  t.deepEqual(written, ['> Bake  (about 40.0 s)', '✓ Bake  900 ms'])
})

test('with verbose, output between them', (t) => {
  const { written, at } = openSink({ verbose: true })
  at(0, { type: 'step-start', id: 'a', title: 'Bake' })
  at(1, { type: 'output', id: 'a', line: 'noise' })
  at(2, { type: 'step-end', id: 'a', outcome: 'done', durationMs: 900 })
  t.deepEqual(written, ['> Bake', '  noise', '✓ Bake  900 ms'])
})

test('progress at most every 5 s and every 10 %', (t) => {
  const { written, at } = openSink()
  at(0, { type: 'step-start', id: 'a', title: 'Copy' })
  for (let second = 0; second <= 60; second += 1) {
    at(second * 1000, { type: 'step-progress', id: 'a', done: second, total: 60, unit: 'items' })
  }
  const percents = written.slice(1).map((line) => /: (\d+) %/.exec(line)?.[1])
  t.deepEqual(percents, ['10', '20', '30', '40', '50', '60', '70', '80', '90', '100'])
  t.is(written[1], '  Copy: 10 %, 6 of 60, 54 s left')
})

test('slow progress is said when 10 % are done, fast progress every 5 s', (t) => {
  const { written, at } = openSink()
  at(0, { type: 'step-start', id: 'a', title: 'Copy' })
  at(60_000, { type: 'step-progress', id: 'a', done: 9, total: 100, unit: 'items' })
  t.is(written.length, 1)
  at(60_001, { type: 'step-progress', id: 'a', done: 10, total: 100, unit: 'items' })
  t.is(written.length, 2)
  at(61_000, { type: 'step-progress', id: 'a', done: 90, total: 100, unit: 'items' })
  t.is(written.length, 2)
})

test('steps that are cached at once are summed up in one line', (t) => {
  const { sink, written, turn, at } = openSink()
  for (const id of ['base', 'ssh']) {
    at(0, { type: 'step-start', id, title: `Bake ${id}` })
    at(0, { type: 'step-end', id, outcome: 'cached', durationMs: 0 })
  }
  turn()
  at(1, { type: 'step-start', id: 'portal', title: 'Bake portal' })
  turn()
  at(9, { type: 'step-end', id: 'portal', outcome: 'done', durationMs: 8 })
  at(9, { type: 'step-end', id: 'image', outcome: 'cached', durationMs: 0 })
  sink.close()
  t.deepEqual(written, [
    '= 2 steps unchanged: Bake base, Bake ssh',
    '> Bake portal',
    '✓ Bake portal  8 ms',
    '= image: unchanged',
  ])
})

test('a failure comes with details, hint, code and log', (t) => {
  const { sink, written } = openSink()
  const error = new PibakeError('STAGE_FAILED', 'Stage `ssh` failed.', { hint: 'Mend it.', details: ['one', 'two'] })
  sink.failure(error, '/state/logs/x.log')
  t.deepEqual(written, [
    '✗ Stage `ssh` failed.',
    '    one',
    '    two',
    '  → Mend it.',
    '  code: STAGE_FAILED',
    '  log: /state/logs/x.log',
  ])
})
