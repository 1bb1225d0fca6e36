import test from 'ava'
import { countBytes, cutWindows } from '../../builder/flash/windows.ts'

const mib = 1 << 20
const spansOf = (extents: readonly [from: number, to: number][]) =>
  [...cutWindows(extents.map(([startBytes, endBytes]) => ({ startBytes, endBytes })))].map(({ startBytes, spans }) => [
    startBytes / mib,
    spans.map((span) => [span.startBytes, span.endBytes]),
  ])

test('neighbours are written in one piece, cut at 4 MiB', (t) => {
  t.deepEqual(
    spansOf([
      [0, mib],
      [mib, 6 * mib],
    ]),
    [
      [0, [[0, 4 * mib]]],
      [4, [[4 * mib, 6 * mib]]],
    ],
  )
})

test('small gaps are filled, large ones left out, whole windows skipped', (t) => {
  t.deepEqual(
    spansOf([
      [0, 4096],
      [8192, 12288],
      [mib, mib + 4096],
      [40 * mib, 40 * mib + 512],
    ]),
    [
      [
        0,
        [
          [0, 12288],
          [mib, mib + 4096],
        ],
      ],
      [40, [[40 * mib, 40 * mib + 512]]],
    ],
  )
})

test('what is written is counted with the gaps that are filled', (t) => {
  t.is(
    countBytes([
      { startBytes: 0, endBytes: 4096 },
      { startBytes: 8192, endBytes: 12288 },
    ]),
    12288,
  )
})

test('extents without end are cut as they come', (t) => {
  const endless = function* () {
    for (let at = 0; ; at += 8 * mib) yield { startBytes: at, endBytes: at + 8 * mib }
  }
  const windows = cutWindows(endless())
  t.is(windows.next().value?.startBytes, 0)
  t.is(windows.next().value?.startBytes, 4 * mib)
})
