import test from 'ava'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { advance, emptyView, type Line, type ViewState } from '../../builder/report/state.ts'
import { plainly } from '../../builder/report/style.ts'
import { renderLine, renderLive } from '../../builder/report/view.ts'

type Timed = readonly [atMs: number, event: PibakeEvent]

const play = (events: readonly Timed[]): { state: ViewState; lines: Line[] } => {
  let state = emptyView
  const lines: Line[] = []
  for (const [atMs, event] of events) {
    const next = advance(state, event, atMs)
    state = next.state
    lines.push(...next.lines)
  }
  return { state, lines }
}

const start = (id: string, title: string, expectedMs?: number): PibakeEvent => ({
  type: 'step-start',
  id,
  title,
  ...(expectedMs === undefined ? {} : { expectedMs }),
})
const end = (id: string, outcome: 'done' | 'cached' | 'failed' | 'skipped', durationMs: number): PibakeEvent => ({
  type: 'step-end',
  id,
  outcome,
  durationMs,
})
const bytes = (id: string, done: number, total: number, note?: string): PibakeEvent => ({
  type: 'step-progress',
  id,
  done,
  total,
  unit: 'bytes',
  ...(note === undefined ? {} : { note }),
})

const live = test.macro(
  (t, events: readonly Timed[], options: { width: number; nowMs: number }, expected: readonly string[]) => {
    t.deepEqual(renderLive(play(events).state, { ...options, paint: plainly }), expected)
  },
)

test('live: nothing runs', live, [], { width: 80, nowMs: 0 }, [])
test(
  'live: a step of which only the time is known',
  live,
  [[0, start('a', 'Bootstrap the base')]],
  { width: 80, nowMs: 2300 },
  ['⠸ Bootstrap the base  2 s'],
)
test('live: a step that took 12 s last time', live, [[0, start('a', 'Bake', 12_000)]], { width: 80, nowMs: 4000 }, [
  '⠋ Bake  4 s, about 8 s left',
])
test(
  'live: a step that takes longer than last time',
  live,
  [[0, start('a', 'Bake', 12_000)]],
  { width: 80, nowMs: 14_000 },
  ['⠋ Bake  14 s, usually 12 s'],
)
const download: readonly Timed[] = [
  [0, start('d', 'Download packages')],
  [0, bytes('d', 0, 40_000_000)],
  [2000, bytes('d', 10_000_000, 40_000_000, 'libc6')],
]
test('live: a download', live, download, { width: 80, nowMs: 2000 }, [
  '⠋ Download packages  2 s',
  '  ██████░░░░░░░░░░░░░░░░░░  25 %, 10 MB of 40 MB, 5.0 MB/s, 6 s left  libc6',
])
test('live: a narrow terminal cuts lines', live, download, { width: 50, nowMs: 2000 }, [
  '⠋ Download packages  2 s',
  '  ██████░░░░░░░░░░░░░░░░░░  25 %, 10 MB of 40 MB,…',
])
test(
  'live: items, and the last line of output without its escapes',
  live,
  [
    [0, start('s', 'Install')],
    [1, { type: 'step-progress', id: 's', done: 3, total: 12, unit: 'items' }],
    [2, { type: 'output', id: 's', line: '\u001b[31mSetting up\tnginx\u001b[0m ...\r\n' }],
  ],
  { width: 80, nowMs: 500 },
  ['⠴ Install  0 s', '  ██████░░░░░░░░░░░░░░░░░░  25 %, 3 of 12', '  Setting up  nginx ...'],
)
test(
  'live: two steps at once, in the order of their start',
  live,
  [
    [0, start('a', 'One')],
    [1000, start('b', 'Two')],
  ],
  { width: 80, nowMs: 2000 },
  ['⠋ One  2 s', '⠋ Two  1 s'],
)

test('no live line is wider than the terminal', (t) => {
  const events: Timed[] = [
    [0, start('a', 'A title that is much longer than a small terminal can hold in one line', 90_000)],
    [0, bytes('a', 0, 5e9)],
    [3000, bytes('a', 1e9, 5e9, 'a-package-with-a-long-name 1:2.3.4-5')],
    [3000, { type: 'output', id: 'a', line: 'x'.repeat(300) }],
  ]
  const { state } = play(events)
  for (const width of [40, 60, 80, 200]) {
    for (const line of renderLive(state, { width, nowMs: 3000, paint: plainly })) {
      t.true([...line].length <= width, `${width}: ${line}`)
    }
  }
})

const lasting = test.macro((t, events: readonly Timed[], expected: readonly string[]) => {
  const { lines } = play(events)
  t.deepEqual(
    lines.map((line) => renderLine(line, plainly)),
    expected,
  )
})

test(
  'lines: a step done, with its note',
  lasting,
  [
    [0, start('a', 'Assemble')],
    [1, { type: 'step-end', id: 'a', outcome: 'done', durationMs: 8125, note: '1.4 GB' }],
  ],
  ['✓ Assemble  8.1 s  1.4 GB'],
)
test(
  'lines: a step failed',
  lasting,
  [
    [0, start('a', 'Assemble')],
    [1, end('a', 'failed', 10)],
  ],
  ['✗ Assemble  10 ms'],
)
test(
  'lines: a skipped step',
  lasting,
  [
    [0, start('a', 'Test')],
    [1, end('a', 'skipped', 0)],
  ],
  ['- Test  skipped'],
)
test(
  'lines: cached steps are summed up before the next line',
  lasting,
  [
    [0, start('a', 'base')],
    [0, end('a', 'cached', 1)],
    [0, start('b', 'ssh')],
    [0, end('b', 'cached', 1)],
    [0, start('c', 'portal')],
    [9, end('c', 'done', 900)],
  ],
  ['= 2 steps unchanged: base, ssh', '✓ portal  900 ms'],
)
test(
  'lines: one cached step, of which only the id is known',
  lasting,
  [
    [0, end('base', 'cached', 0)],
    [0, { type: 'notice', level: 'info', message: 'hello' }],
  ],
  ['= base: unchanged', 'i hello'],
)
test('lines: a warning', lasting, [[0, { type: 'notice', level: 'warn', message: 'slow' }]], ['! slow'])
test('lines: debug is for the log', lasting, [[0, { type: 'debug', message: 'x' }]], [])
