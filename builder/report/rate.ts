interface Sample {
  atMs: number
  done: number
}

/** What is known of the pace of a step; undefined where too little has been seen to tell. */
export interface Pace {
  /** Bytes or items in a second. */
  perSecond: number | undefined
  /** Milliseconds until `total` is reached at this pace. */
  leftMs: number | undefined
}

/** Measurements of one step's progress; a plain value, extended by `addSample`. */
export type Samples = readonly Sample[]

/** How far back the pace is measured: long enough to be calm, short enough to follow a changing line. */
const windowMs = 10_000
/** Below this, a first burst would pass for a rate. */
const leastMs = 1000

/** Take note that `done` was reached at `atMs`. A step that falls back begins anew; old measurements are dropped. */
export const addSample = (samples: Samples, sample: Sample): Samples => {
  const last = samples.at(-1)
  if (last && sample.done < last.done) return [sample]
  const firstInside = samples.findIndex(({ atMs }) => atMs >= sample.atMs - windowMs)
  const recent = firstInside < 0 ? samples.slice(-1) : samples.slice(Math.max(0, firstInside - 1))
  // Many small steps within a moment count as one, so that the list stays short.
  const kept = recent.length > 1 && last && sample.atMs - last.atMs < 100 ? recent.slice(0, -1) : recent
  return [...kept, sample]
}

/** The pace over the last ten seconds, as seen at `nowMs`: a stalled step slows down although nothing arrives. */
export const paceAt = (samples: Samples, total: number, nowMs: number): Pace => {
  const first = samples[0]
  const last = samples.at(-1)
  if (!first || !last || nowMs - first.atMs < leastMs) return { perSecond: undefined, leftMs: undefined }
  const perSecond = (last.done - first.done) / ((nowMs - first.atMs) / 1000)
  if (perSecond <= 0) return { perSecond: 0, leftMs: undefined }
  return { perSecond, leftMs: (Math.max(0, total - last.done) / perSecond) * 1000 }
}
