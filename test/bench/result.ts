import type { Machine } from './machine.ts'

/** One row of the report: what pibake takes, and what it is held against. */
export interface Row {
  /** Stable name for `bench.json`. */
  id: string
  what: string
  measured: number
  /** What it is compared with; absent where only a limit is set. */
  reference?: { what: string; value: number }
  unit: 'ms' | 'bytes'
  /** `faster`: reference ÷ measured; `slower`: measured ÷ reference. */
  ratio?: 'faster' | 'slower'
  /** The most that `measured` may be, or the least (`faster`) or most (`slower`) that the ratio may be. */
  limit?: number
  /** Why pibake is behind, where it is. */
  note?: string
}

/** The ratio of a row as it is stated; undefined for a row without reference. */
export const ratioOf = ({ measured, reference, ratio }: Row): number | undefined => {
  if (!reference || !ratio) return undefined
  return ratio === 'faster' ? reference.value / measured : measured / reference.value
}

/** Whether a row holds its limit; undefined when it has none. */
export const isWithin = (row: Row): boolean | undefined => {
  if (row.limit === undefined) return undefined
  const ratio = ratioOf(row)
  if (ratio === undefined) return row.measured <= row.limit
  return row.ratio === 'faster' ? ratio >= row.limit : ratio <= row.limit
}

/** What the parts of the bench share. */
export type Say = (line: string) => void

/** What one part of the bench found, and where. */
export interface PartResult {
  part: string
  machine: Machine
  rows: Row[]
}
