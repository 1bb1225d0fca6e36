import test from 'ava'
import type { Figures } from './contenders.ts'
import type { Peer } from './host.ts'
import { renderPeerPlot, renderPeers } from './report.ts'
import { peerRows } from './rows.ts'

const figures = (seconds: number, isCounted = true): Figures => {
  const writtenBytes = isCounted ? seconds * 1e6 : undefined
  const cost = { wallMs: seconds * 1000, peakBytes: seconds * 1e8, writtenBytes }
  return { fresh: cost, again: cost, edit: cost, imageMs: seconds * 1000 }
}

const rowsFor = (pibake: Figures, found: Partial<Record<Peer, Figures>>) =>
  peerRows({
    pibake,
    figures: new Map(Object.entries(found) as [Peer, Figures][]),
    compressed: [{ form: 'xz', pibake: { wallMs: 4000, sizeBytes: 3e6 }, peer: { wallMs: 3000, sizeBytes: 4e6 } }],
    versions: new Map([
      ['mmdebstrap', '1.5.7-1+deb13u1'],
      ['mkosi', '25.3-7'],
      ['debos', '1:1.1.5-1'],
    ]),
  })

test('a row for each measure and peer, and none for what the disk does not count', (t) => {
  const rows = rowsFor(figures(2, false), { mmdebstrap: figures(20), debos: figures(1) })
  t.deepEqual(
    rows.map(({ id }) => id),
    [
      ...['peers-fresh-mmdebstrap', 'peers-fresh-debos', 'peers-again-mmdebstrap', 'peers-again-debos'],
      ...['peers-edit-mmdebstrap', 'peers-edit-debos', 'peers-image-mmdebstrap', 'peers-image-debos'],
      ...['peers-time-xz-mkosi', 'peers-size-xz-mkosi', 'peers-memory-mmdebstrap', 'peers-memory-debos'],
    ],
  )
})

test('only a row that pibake does not lead says why', (t) => {
  const rows = rowsFor(figures(2), { mmdebstrap: figures(20), debos: figures(1), vmdb2: figures(1.97) })
  for (const { measured, reference, note } of rows) t.is(note !== undefined, (reference?.value ?? 0) < 0.95 * measured)
})

test('the table has a column for each peer by its upstream version, and marks where pibake is behind', (t) => {
  const page = renderPeers(rowsFor(figures(2), { mmdebstrap: figures(20), debos: figures(1) }))
  t.true(page.includes('|  | pibake | mmdebstrap 1.5.7 | debos 1.1.5 | mkosi 25.3 |'))
  t.regex(page, /^\| From nothing \| 2\.0 s \| 20\.0 s \(10×\) \| 1\.0 s \(\*\*0\.5×\*\*\) \| {2}\|$/m)
  t.regex(page, /^- From nothing, debos 1\.1\.5: ./m)
  t.notRegex(page, /^- From nothing, mmdebstrap/m)
})

test('the plot has a bar for everyone in each measure', (t) => {
  const rows = rowsFor(figures(2), { mmdebstrap: figures(20), mkosi: figures(10) })
  const plot = renderPeerPlot(rows)
  const measures = new Set(rows.map(({ what }) => what)).size
  t.is(plot.match(/>pibake: /g)?.length, measures)
  t.is(plot.match(/>mkosi 25\.3: /g)?.length, measures)
  t.is(plot.match(/>mmdebstrap 1\.5\.7: /g)?.length, measures - 2)
})
