/** A part of a content: first and last byte, both included. */
export interface ByteRange {
  start: number
  end: number
}

/**
 * The part that a Range header asks for, of a content of `sizeBytes` (RFC 9110, 14.1.2): undefined for all of it, which
 * is what several ranges at once and forms unknown here get as well; `unsatisfiable` for one that lies behind its end.
 */
export const parseRange = (header: string | undefined, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined => {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? []
  if (first === '' && last === '') return undefined
  if (first === '') {
    const count = Math.min(Number(last), sizeBytes)
    return count === 0 ? 'unsatisfiable' : { start: sizeBytes - count, end: sizeBytes - 1 }
  }
  const start = Number(first)
  const end = last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1)
  if (last !== '' && Number(last) < start) return undefined
  return start >= sizeBytes ? 'unsatisfiable' : { start, end }
}

/** What of a request decides whether the visitor has the content already, and whether a part of it is still the same. */
export interface Conditions {
  ifNoneMatch: string | undefined
  ifModifiedSince: string | undefined
  ifRange: string | undefined
}

/** What a content is told apart by. */
export interface Validators {
  /** With its quotes. */
  etag: string
  /** As HTTP spells dates; undefined for what has none. */
  lastModified: string | undefined
}

const secondsOf = (date: string | undefined): number => Math.floor(Date.parse(date ?? '') / 1000)

/** Whether the visitor's copy is still good, so that 304 is the answer (RFC 9110, 13.1). */
export const isFresh = (conditions: Conditions, { etag, lastModified }: Validators): boolean => {
  const { ifNoneMatch, ifModifiedSince } = conditions
  if (ifNoneMatch !== undefined) {
    const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
    return tags.includes('*') || tags.includes(etag)
  }
  return ifModifiedSince !== undefined && secondsOf(lastModified) <= secondsOf(ifModifiedSince)
}

/** Whether a range may be sent although the visitor holds a part already: it is of this content (RFC 9110, 13.1.5). */
export const isSamePart = ({ ifRange }: Conditions, { etag, lastModified }: Validators): boolean =>
  ifRange === undefined || ifRange === etag || (lastModified !== undefined && ifRange === lastModified)
