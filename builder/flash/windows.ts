/** Bytes that are written as one: the erase block of most cards, and more than any kernel moves at a time. */
export const windowBytes = 4 << 20
/** Below this it is quicker to write what lies between two extents than to leave it out (etcher #2924). */
const gapBytes = 256 << 10
/** What is held back to the end: a partition table of either kind, and boot code. */
export const headBytes = 1 << 20

/** A run of bytes. */
export interface Span {
  startBytes: number
  /** Behind the last byte. */
  endBytes: number
}

/** One aligned piece of a drive, and what of it is written; neither empty nor wider than `windowBytes`. */
export interface Window extends Span {
  spans: Span[]
}

/**
 * Cut extents, in ascending order, at multiples of `windowBytes`, and join them over small gaps: what writers take in one
 * piece. Lazy, since the extents of a stream of unknown length have no end.
 */
export const cutWindows = function* (extents: Iterable<Span>): Generator<Window> {
  let window: Window | undefined
  for (const extent of extents) {
    for (let at = extent.startBytes; at < extent.endBytes; ) {
      const startBytes = at - (at % windowBytes)
      const endBytes = Math.min(extent.endBytes, startBytes + windowBytes)
      if (window && window.startBytes !== startBytes) {
        yield window
        window = undefined
      }
      window ??= { startBytes, endBytes: startBytes + windowBytes, spans: [] }
      const last = window.spans.at(-1)
      if (last && at - last.endBytes <= gapBytes) last.endBytes = endBytes
      else window.spans.push({ startBytes: at, endBytes })
      at = endBytes
    }
  }
  if (window) yield window
}

/** How many bytes are written for these extents. */
export const countBytes = (extents: Iterable<Span>): number => {
  let sum = 0
  for (const { spans } of cutWindows(extents)) {
    for (const { startBytes, endBytes } of spans) sum += endBytes - startBytes
  }
  return sum
}
