import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { createJsonSink } from '../../builder/report/json.ts'
import { logFileName, logsToDrop, openLog } from '../../builder/report/log.ts'
import { wantsColor } from '../../builder/report/reporter.ts'
import { renderTable } from '../../builder/report/table.ts'

const scratch = async (t: { teardown(fn: () => Promise<void>): void }): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('a log is named by time and command', (t) => {
  t.is(logFileName(new Date('2026-03-04T05:06:07.089Z'), 'bake'), '2026-03-04T05-06-07.089Z-bake.log')
})

test('the oldest logs go, other files stay', (t) => {
  const names = Array.from({ length: 22 }, (_, day) => logFileName(new Date(Date.UTC(2026, 0, day + 1)), 'bake'))
  t.deepEqual(logsToDrop([...names, 'notes.txt'].reverse()), names.slice(0, 3))
  t.deepEqual(logsToDrop(names.slice(0, 19)), [])
})

test('the log keeps everything, and twenty logs are kept', async (t) => {
  const folder = join(await scratch(t), 'logs')
  await mkdir(folder)
  for (let day = 1; day <= 25; day += 1) {
    await writeFile(join(folder, logFileName(new Date(Date.UTC(2026, 0, day)), 'bake')), '')
  }
  const log = openLog({ folder, command: 'bake' })
  log.event({ type: 'step-start', id: 'a', title: 'Bake' })
  log.event({ type: 'output', id: 'a', line: 'Setting up' })
  log.event({ type: 'debug', message: 'inner', fields: { count: 3 } })
  log.event({ type: 'notice', level: 'warn', message: 'slow' })
  log.failure(new PibakeError('DISK_FULL', 'Full.', { hint: 'Free some.' }), undefined)
  log.close()
  t.is((await readdir(folder)).length, 20)
  const again = openLog({ folder, command: 'bake', path: log.path })
  again.event({ type: 'step-end', id: 'a', outcome: 'done', durationMs: 5 })
  again.close()
  const lines = (await readFile(log.path, 'utf8')).trimEnd().split('\n')
  const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  t.like(records, [
    { msg: 'step-start', id: 'a', title: 'Bake', command: 'bake' },
    { msg: 'Setting up', id: 'a', type: 'output' },
    { msg: 'inner', count: 3 },
    { msg: 'slow', level: 40 },
    { msg: 'failed', code: 'DISK_FULL', hint: 'Free some.' },
    { msg: 'step-end', outcome: 'done' },
  ])
})

test('of the progress of a step the log takes what is a second apart', async (t) => {
  const log = openLog({ folder: await scratch(t), command: 'bake' })
  for (let done = 1; done <= 50; done += 1) {
    for (const id of ['a', 'b']) log.event({ type: 'step-progress', id, done, total: 50, unit: 'bytes' })
  }
  log.close()
  const lines = (await readFile(log.path, 'utf8')).trimEnd().split('\n')
  t.true(lines.length >= 2 && lines.length < 20, `${lines.length} lines`)
})

test('json: one line an event, failures with the log, no debug', (t) => {
  const written: string[] = []
  const sink = createJsonSink({ write: (line) => written.push(line), now: () => new Date(0) })
  sink.event({ type: 'notice', level: 'info', message: 'hi' })
  sink.event({ type: 'debug', message: 'inner' })
  sink.failure(new PibakeError('USAGE', 'No.', { hint: 'Do.', details: ['x'] }), '/a.log')
  t.deepEqual(
    written.map((line) => JSON.parse(line) as unknown),
    [
      { time: '1970-01-01T00:00:00.000Z', type: 'notice', level: 'info', message: 'hi' },
      {
        time: '1970-01-01T00:00:00.000Z',
        type: 'failure',
        code: 'USAGE',
        message: 'No.',
        hint: 'Do.',
        details: ['x'],
        log: '/a.log',
      },
    ],
  )
})

const color = test.macro((t, options: Parameters<typeof wantsColor>[0], expected: boolean) => {
  t.is(wantsColor(options), expected)
})
test('colour on a terminal', color, { flag: true, env: { TERM: 'xterm' }, isTerminal: true }, true)
test('no colour in a pipe', color, { flag: true, env: {}, isTerminal: false }, false)
test('no colour with --no-color', color, { flag: false, env: {}, isTerminal: true }, false)
test('no colour with NO_COLOR', color, { flag: true, env: { NO_COLOR: '1' }, isTerminal: true }, false)
test('an empty NO_COLOR means nothing', color, { flag: true, env: { NO_COLOR: '' }, isTerminal: true }, true)
test('no colour on a dumb terminal', color, { flag: true, env: { TERM: 'dumb' }, isTerminal: true }, false)

test('columns are aligned whatever their colour', (t) => {
  const rows = [
    ['\u001b[1mab\u001b[0m', '1', 'x'],
    ['abcd', '', ''],
  ]
  t.deepEqual(renderTable(rows), ['\u001b[1mab\u001b[0m    1  x', 'abcd'])
})
