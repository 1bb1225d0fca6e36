import type { Row } from '../result.ts'
import type { Figures } from './contenders.ts'
import { type Peer, peers } from './host.ts'

/** One image in one compressed form, by pibake and as mkosi would. */
export interface Compressed {
  form: 'zst' | 'xz'
  pibake: { wallMs: number; sizeBytes: number }
  peer: { wallMs: number; sizeBytes: number }
}

/** The version of a Debian package without what Debian counts: `1.5.7` of `1.5.7-1+deb13u1`. */
const upstream = (version: string | undefined): string => version?.replace(/^\d+:/, '').replace(/-[^-]*$/, '') ?? '?'

/** What the columns of the table are called, by peer. */
export const peerTitle = (peer: string, versions: ReadonlyMap<string, string>): string =>
  `${peer} ${upstream(versions.get(peer))}`

type Measure =
  | 'fresh'
  | 'again'
  | 'edit'
  | 'image'
  | 'memory'
  | 'written'
  | 'edit-written'
  | `${'time' | 'size'}-${'zst' | 'xz'}`

const noOtherWork =
  'pibake sees first whether the image is still what its lock says, and takes a digest of the archive; the program is the same.'

/** Why pibake takes more, for the measures where it may. */
const reasons: Partial<Record<Measure, string>> = {
  edit: 'a copied file in a tree that was kept is all there is to it; pibake builds the package of the stage again, installs it with apt, looks the root over (lint) and lists what the image holds.',
  image:
    'pibake looks the root over (lint), sorts it so that the same lock gives the same bytes, and lists the holes of the image (`.bmap`).',
  memory:
    'pibake is two processes of Node, of 230 MB together; it takes the most where it unpacks packages side by side to read their licences, for a bill of materials that nobody else writes.',
  written: 'pibake keeps what each step has changed as a layer, besides the image.',
  'edit-written': 'pibake keeps what each step has changed as a layer, besides the image.',
  'time-zst': noOtherWork,
  'time-xz': noOtherWork,
}

/** Whether a ratio, as it is printed, says that pibake takes more. */
export const isBehind = (ratio: number): boolean => Math.round(ratio * 10) < 10

const rowOf = (
  measure: Measure,
  peer: Peer,
  row: Pick<Row, 'what' | 'measured' | 'unit'>,
  { value, versions }: { value: number; versions: ReadonlyMap<string, string> },
): Row => {
  const note = isBehind(value / row.measured) ? (reasons[measure] ?? 'nobody has found out why.') : undefined
  return {
    ...row,
    id: `peers-${measure}-${peer}`,
    reference: { what: peerTitle(peer, versions), value },
    ratio: 'faster',
    ...(note === undefined ? {} : { note }),
  }
}

/** The rows of the part: one for each measure and peer. */
export const peerRows = (found: {
  pibake: Figures
  figures: ReadonlyMap<Peer, Figures>
  compressed: readonly Compressed[]
  versions: ReadonlyMap<string, string>
}): Row[] => {
  const { pibake, figures, compressed, versions } = found
  const rows: Row[] = []
  const add = (measure: Measure, what: string, unit: Row['unit'], pick: (of: Figures) => number | undefined): void => {
    const measured = pick(pibake)
    for (const peer of peers) {
      const of = figures.get(peer)
      const value = of && pick(of)
      if (measured !== undefined && value !== undefined) {
        rows.push(rowOf(measure, peer, { what, measured, unit }, { value, versions }))
      }
    }
  }
  add('fresh', 'From nothing', 'ms', ({ fresh }) => fresh.wallMs)
  add('again', 'Second run', 'ms', ({ again }) => again.wallMs)
  add('edit', 'One file edited', 'ms', ({ edit }) => edit.wallMs)
  add('image', 'Image of a finished tree', 'ms', ({ imageMs }) => imageMs)
  for (const { form, pibake: own, peer } of compressed) {
    const time = { what: `Compress it to .${form}`, measured: own.wallMs, unit: 'ms' } as const
    const size = { what: `Size of the .${form}`, measured: own.sizeBytes, unit: 'bytes' } as const
    rows.push(rowOf(`time-${form}`, 'mkosi', time, { value: peer.wallMs, versions }))
    rows.push(rowOf(`size-${form}`, 'mkosi', size, { value: peer.sizeBytes, versions }))
  }
  add('memory', 'Peak memory from nothing', 'bytes', ({ fresh }) => fresh.peakBytes)
  add('written', 'Written to disk from nothing', 'bytes', ({ fresh }) => fresh.writtenBytes)
  add('edit-written', 'Written to disk after the edit', 'bytes', ({ edit }) => edit.writtenBytes)
  return rows
}
