import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { failureRecord, renderFailure } from '../../builder/report/failure.ts'
import { plainly } from '../../builder/report/style.ts'

const render = test.macro((t, error: unknown, logPath: string | undefined, expected: readonly string[]) => {
  t.deepEqual(renderFailure(error, { paint: plainly, logPath }), expected)
})

test('bad input does not name the log', render, new PibakeError('USAGE', 'No.', { hint: 'Do.' }), '/a.log', [
  '✗ No.',
  '  → Do.',
  '  code: USAGE',
])
test(
  'an interruption is no failure of anything',
  render,
  new PibakeError('INTERRUPTED', 'Interrupted.', { hint: 'Again.' }),
  '/a.log',
  ['✗ Interrupted.', '  → Again.'],
)
test('a plain Error is a bug, and names the log', render, new Error('undefined is odd'), '/a.log', [
  '✗ A bug in pibake: undefined is odd',
  '  → Please report it, with the log named below.',
  '  log: /a.log',
])
test('something thrown that is no Error', render, 'text', undefined, [
  '✗ A bug in pibake: text',
  '  → Please report it, with the lines above.',
])

test('a bug without a log shows its stack', (t) => {
  const lines = renderFailure(new Error('odd'), { paint: plainly, logPath: undefined })
  t.true(lines.some((line) => line.includes('failure.test.ts')))
})

test('as data, a cause is its message alone', (t) => {
  const cause = Object.assign(new Error('why'), { env: { TOKEN: 'secret' } })
  const record = failureRecord(new PibakeError('NETWORK', 'No.', { hint: 'Do.', cause }))
  t.deepEqual(record, { code: 'NETWORK', message: 'No.', hint: 'Do.', details: [], cause: 'why' })
})
