import { headBytes } from './windows.ts'

/** What is written at each place: a page, which every card takes in one piece. */
export const probeBytes = 4096
/** Places spread over the whole drive, besides those at powers of two. */
const spread = 32
/** More than any drive below 2^53 bytes has. */
export const probesAtMost = 128

const floor = (bytes: number): number => bytes - (bytes % probeBytes)

/**
 * Where a drive that lies about its size is caught: on both sides of each power of two, where small chips wear the label of
 * large ones; at its end; and at places spread evenly (by the golden ratio), one of which falls onto the image when
 * addresses wrap around at any other size. Ascending, each once, none in the first MiB.
 */
export const probePlaces = (sizeBytes: number): number[] => {
  const places = new Set<number>()
  const add = (place: number): void => {
    if (place >= headBytes && place + probeBytes <= sizeBytes) places.add(place)
  }
  for (let power = 2 * headBytes; power < sizeBytes; power *= 2) {
    add(power - probeBytes)
    add(power)
  }
  for (let index = 1; index <= spread; index += 1) add(floor(((index * 0.618_033_988_749_895) % 1) * sizeBytes))
  add(floor(sizeBytes) - probeBytes)
  return [...places].sort((a, b) => a - b)
}
