import test from 'ava'
import { createTapSummary } from './tap-summary.ts'

const read = (text: string): { said: string[]; isGood: boolean } => {
  const said: string[] = []
  const summary = createTapSummary({ say: (line) => said.push(line), status: () => {}, verbose: false })
  for (const line of text.split('\n')) summary.line(line)
  return { isGood: summary.end(), said }
}

test('all is well', (t) => {
  const { said, isGood } = read(
    'TAP version 13\nok 1 - a\nok 2 - b # SKIP\n\n1..1\n# tests 1\n# pass 1\n# fail 0\n\n# exit 0',
  )
  t.true(isGood)
  t.deepEqual(said, ['- b (skip)', '\n1 passed, 0 failed, 1 skipped'])
})

test('a failure is shown with what is known of it', (t) => {
  const { said, isGood } = read(
    'not ok 1 - a › bad\n  ---\n    at: here\n  ...\nok 2 - b\n    hidden\n1..2\n# fail 1\n# exit 1',
  )
  t.false(isGood)
  t.deepEqual(said, [
    '✗ a › bad',
    '    ---',
    '      at: here',
    '    ...',
    '\nFailed:\n  ✗ a › bad',
    '\n1 passed, 1 failed, 0 skipped',
  ])
})

test('a run that breaks off is a failure, whatever passed', (t) => {
  for (const text of ['ok 1 - a', 'ok 1 - a\n# exit 1', 'ok 1 - a\n# exit 134']) {
    const { said, isGood } = read(text)
    t.false(isGood)
    t.is(said.at(-1), '\n1 passed, 1 failed, 0 skipped')
  }
})

test('a run that breaks off after a failure is said to have done so', (t) => {
  const whole = 'TAP version 13\nnot ok 1 - a\n1..1\n'
  t.is(read(`${whole}TAP version 13\nok 1 - b\n1..1\n# exit 1`).said.at(-1), '\n1 passed, 1 failed, 0 skipped')
  const { said } = read(`${whole}TAP version 13\nok 1 - b\n# exit 1`)
  t.deepEqual(said.slice(-2), ['\n✗ ava did not come to its end (exit status 1)', '\n1 passed, 2 failed, 0 skipped'])
})

test('a test to be written is skipped, not failed', (t) => {
  const { said, isGood } = read('not ok 1 - later # TODO\nok 2 - a\n# exit 0')
  t.true(isGood)
  t.is(said.at(-1), '\n1 passed, 0 failed, 1 skipped')
})

test('no tests at all is a failure', (t) => {
  t.false(read('TAP version 13\n1..0\n# exit 0').isGood)
})
