import test from 'ava'
import { runParallel } from '../../builder/cache/parallel.ts'

test('results keep the order, and no more than the limit run at once', async (t) => {
  let running = 0
  let most = 0
  const results = await runParallel([5, 1, 3, 2, 4], 2, async (value) => {
    running += 1
    most = Math.max(most, running)
    for (let turn = 0; turn < value; turn += 1) await Promise.resolve()
    running -= 1
    return value * 10
  })
  t.deepEqual(results, [50, 10, 30, 20, 40])
  t.is(most, 2)
})

test('the first failure stops new work and is thrown after what runs has ended', async (t) => {
  const started: number[] = []
  const ended: number[] = []
  const run = runParallel([1, 2, 3, 4], 2, async (value) => {
    started.push(value)
    if (value === 1) throw new Error('one failed')
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
    ended.push(value)
  })
  await t.throwsAsync(run, { message: 'one failed' })
  t.deepEqual(started, [1, 2])
  t.deepEqual(ended, [2])
})
