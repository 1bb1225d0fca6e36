import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { hashBytes } from '../core/digest.ts'
import { errnoOf } from '../core/error.ts'
import type { FileContent, Offer, Offers } from './offer.ts'
import { isFresh, isSamePart, parseRange, type Validators } from './range.ts'
import { visitorHost, wantedPath } from './request.ts'

/** What answering needs to know besides the request. */
export interface Answering {
  offers: Offers
  /** Whether a file is what its digest says. Files are asked about once and at their first use. */
  isGood: (content: FileContent) => Promise<boolean>
  /** Called for a file that can no longer be sent, with why. */
  onUnusable: (path: string, reason: string) => void
}

/** Called with what a request was found to be for, before anything of it is sent. */
type OnOffer = (offer: Offer) => void

/** What is about to be sent. */
interface Body extends AsyncDisposable {
  sizeBytes: number
  validators: Validators
  read: (range: { start: number; end: number }) => Readable
}

/** How much of a file one visitor's answer holds in memory, twice at most. */
const chunkBytes = 128 * 1024

const known = new WeakMap<Buffer, string>()

/** The digest of bytes that are offered again and again, taken once. */
const digestOf = (bytes: Buffer): string => {
  const digest = known.get(bytes) ?? hashBytes(bytes)
  known.set(bytes, digest)
  return digest
}

const ofBytes = (bytes: Buffer): Body => ({
  sizeBytes: bytes.length,
  validators: { etag: `"${digestOf(bytes)}"`, lastModified: undefined },
  read: ({ start, end }) => Readable.from([bytes.subarray(start, end + 1)]),
  [Symbol.asyncDispose]: async () => {},
})

const ofFile = async (content: FileContent, answering: Answering): Promise<Body | undefined> => {
  const { path, sizeBytes, modifiedMs, sha256, isVerified } = content
  const refuse = async (reason: string, handle?: FileHandle): Promise<undefined> => {
    await handle?.close()
    answering.onUnusable(path, reason)
  }
  let handle: FileHandle
  try {
    // A pipe or a device in its place must not hold up the server.
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    return refuse(errnoOf(error) === 'ENOENT' ? 'is no longer there' : `cannot be read (${errnoOf(error)})`)
  }
  const status = await handle.stat()
  const isSame = status.isFile() && status.size === sizeBytes && status.mtimeMs === modifiedMs
  if (!isSame) return refuse('has changed since the server was started', handle)
  if (isVerified && !(await answering.isGood(content))) return refuse('is damaged', handle)
  return {
    sizeBytes,
    validators: {
      etag: `"${sha256 ?? `${sizeBytes.toString(36)}-${Math.round(modifiedMs).toString(36)}`}"`,
      lastModified: new Date(modifiedMs).toUTCString(),
    },
    read: ({ start, end }) => handle.createReadStream({ start, end, autoClose: false, highWaterMark: chunkBytes }),
    [Symbol.asyncDispose]: () => handle.close(),
  }
}

const openBody = async (
  content: Exclude<Offer['content'], { kind: 'redirect' }>,
  request: IncomingMessage,
  answering: Answering,
): Promise<Body | undefined> => {
  if (content.kind === 'bytes') return ofBytes(content.bytes)
  if (content.kind === 'file') return ofFile(content, answering)
  return ofBytes(Buffer.from(await content.render(visitorHost(request))))
}

const always: OutgoingHttpHeaders = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' }

/** Begin an answer; its headers can be read back from it. */
const begin = (response: ServerResponse, status: number, headers: OutgoingHttpHeaders): ServerResponse => {
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value)
  return response.writeHead(status)
}

/** A short answer that is no content: why there is none. */
const say = (request: IncomingMessage, response: ServerResponse, status: number, more: OutgoingHttpHeaders = {}) => {
  const text = `${status} ${reasons[status] ?? ''}\n`
  const headers = { ...always, 'content-type': 'text/plain; charset=utf-8', 'content-length': text.length, ...more }
  begin(response, status, headers).end(request.method === 'HEAD' ? undefined : text)
}

const reasons: Readonly<Record<number, string>> = {
  301: 'It is at another address.',
  400: 'The request cannot be understood.',
  404: 'There is nothing at this address.',
  405: 'Things can only be fetched here.',
  414: 'The address is too long.',
  416: 'The file is shorter than that.',
  500: 'Something went wrong here; the terminal of the server says what.',
  503: 'The file cannot be sent at the moment; the terminal of the server says why.',
}

const headersOf = (offer: Offer, { validators }: Body): OutgoingHttpHeaders => ({
  ...always,
  'content-type': offer.type,
  'accept-ranges': 'bytes',
  'cache-control': offer.isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache',
  etag: validators.etag,
  ...(validators.lastModified === undefined ? {} : { 'last-modified': validators.lastModified }),
  ...(offer.policy === undefined ? {} : { 'content-security-policy': offer.policy }),
})

const send = async (offer: Offer, body: Body, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const { headers } = request
  const conditions = {
    ifNoneMatch: headers['if-none-match'],
    ifModifiedSince: headers['if-modified-since'],
    ifRange: typeof headers['if-range'] === 'string' ? headers['if-range'] : undefined,
  }
  const shared = headersOf(offer, body)
  if (isFresh(conditions, body.validators)) {
    begin(response, 304, shared).end()
    return
  }
  const { sizeBytes } = body
  const wanted = isSamePart(conditions, body.validators) ? parseRange(headers.range, sizeBytes) : undefined
  if (wanted === 'unsatisfiable') {
    say(request, response, 416, { 'content-range': `bytes */${sizeBytes}` })
    return
  }
  const range = wanted ?? { start: 0, end: sizeBytes - 1 }
  begin(response, wanted ? 206 : 200, {
    ...shared,
    'content-length': range.end - range.start + 1,
    ...(wanted ? { 'content-range': `bytes ${range.start}-${range.end}/${sizeBytes}` } : {}),
  })
  if (request.method === 'HEAD' || sizeBytes === 0) response.end()
  else await pipeline(body.read(range), response)
}

/**
 * Answer one request from what is offered, by GET or HEAD; all else is refused with a status that says why. Rejects only
 * when the visitor has gone away or reading fails midway; then the connection is to be closed.
 */
export const answer = async (
  request: IncomingMessage,
  response: ServerResponse,
  answering: Answering,
  onOffer: OnOffer,
): Promise<void> => {
  // Whatever somebody sends along is thrown away as it comes, within the time that a request may take.
  request.resume()
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    say(request, response, 405, { allow: 'GET, HEAD' })
    return
  }
  const wanted = wantedPath(request.url ?? '')
  if (typeof wanted === 'number') {
    say(request, response, wanted)
    return
  }
  const offer = wanted.map((path) => answering.offers.get(path)).find((found) => found !== undefined)
  if (!offer) {
    say(request, response, 404)
    return
  }
  onOffer(offer)
  if (offer.content.kind === 'redirect') {
    say(request, response, 301, { location: offer.content.to })
    return
  }
  await using body = await openBody(offer.content, request, answering)
  if (body) await send(offer, body, request, response)
  else say(request, response, 503)
}
