import test from 'ava'
import { addSample, paceAt, type Samples } from '../../builder/report/rate.ts'

/** Samples of a step that was at `done` at each of the times. */
const samplesOf = (...points: readonly (readonly [atMs: number, done: number])[]): Samples =>
  points.reduce<Samples>((samples, [atMs, done]) => addSample(samples, { atMs, done }), [])

const steady = samplesOf([0, 0], [500, 50], [1000, 100], [2000, 200])

const macro = test.macro((t, samples: Samples, nowMs: number, expected: ReturnType<typeof paceAt>) => {
  t.deepEqual(paceAt(samples, 1000, nowMs), expected)
})

test('nothing is known without progress', macro, [], 5000, { perSecond: undefined, leftMs: undefined })
test('nothing is known within the first second', macro, samplesOf([0, 0], [900, 90]), 900, {
  perSecond: undefined,
  leftMs: undefined,
})
test('a steady pace gives the time left', macro, steady, 2000, { perSecond: 100, leftMs: 8000 })
test('a stall lowers the pace although nothing arrives', macro, steady, 4000, { perSecond: 50, leftMs: 16_000 })
test('no progress at all is a pace of zero with no end', macro, samplesOf([0, 0]), 3000, {
  perSecond: 0,
  leftMs: undefined,
})
test('what was there at the start does not count as speed', macro, samplesOf([0, 500], [2000, 600]), 2000, {
  perSecond: 50,
  leftMs: 8000,
})

test('only the last ten seconds count', (t) => {
  const slowThenFast = samplesOf([0, 0], [10_000, 10], [20_000, 20], [25_000, 520], [30_000, 1020])
  t.is(paceAt(slowThenFast, 2020, 30_000).perSecond, 1010 / 20)
  const later = addSample(slowThenFast, { atMs: 35_000, done: 1520 })
  t.is(paceAt(later, 2020, 35_000).perSecond, 1500 / 15)
})

test('a step that falls back begins anew', (t) => {
  const again = samplesOf([0, 0], [2000, 800], [2500, 0], [4500, 100])
  t.deepEqual(paceAt(again, 1000, 4500), { perSecond: 50, leftMs: 18_000 })
})

test('a burst of small steps is kept as few samples', (t) => {
  let samples: Samples = []
  for (let index = 0; index < 10_000; index += 1) samples = addSample(samples, { atMs: index, done: index })
  t.true(samples.length < 150, String(samples.length))
  t.is(paceAt(samples, 20_000, 9999).perSecond, 1000)
})
