import type { NewBlob } from '../cache/blobs.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Answer, Connections } from './connections.ts'

/** How one request ended. `failed` may be asked again, `wrong` was not what was promised, `refused` is final. */
export type Attempt =
  | { kind: 'whole'; validator: string | undefined }
  | { kind: 'gone' }
  | { kind: 'refused' | 'failed' | 'wrong'; reason: string; validator?: string | undefined }

export interface AttemptOptions {
  connections: Connections
  /** Where the bytes go; those that are there are not asked for again. */
  blob: NewBlob
  sizeBytes: number | undefined
  /** ETag or date of the response that the bytes there came from (RFC 9110, `If-Range`). */
  validator: string | undefined
  signal: AbortSignal
  /** Called after each chunk with the size of the whole, when the server told it. */
  onProgress: (announcedBytes: number | undefined) => void
}

/**
 * Ask for a file once and append what comes to the blob. Throws only what the blob throws (`DISK_FULL`) and when
 * `signal` fires; whatever a server does is in the outcome.
 */
export const fetchOnce = async (url: string, options: AttemptOptions): Promise<Attempt> => {
  const { connections, blob, signal } = options
  const offset = blob.sizeBytes
  const headers: Record<string, string> = { 'accept-encoding': 'identity' }
  if (offset > 0) {
    headers.range = `bytes=${offset}-`
    if (options.validator !== undefined) headers['if-range'] = options.validator
  }
  let validator: string | undefined
  try {
    const response = await connections.request(url, { headers, signal })
    const { statusCode, body } = response
    body.on('error', () => {})
    validator = validatorOf(response.headers)
    const problem = judgeStatus(statusCode, response.headers, offset, options.sizeBytes)
    if (problem) {
      body.destroy()
      return problem
    }
    if (statusCode === 200 && offset > 0) await blob.restart()
    const announced = announcedBytes(response.headers, blob.sizeBytes)
    for await (const chunk of body) {
      await blob.write(chunk as Uint8Array)
      options.onProgress(announced)
      if (options.sizeBytes !== undefined && blob.sizeBytes > options.sizeBytes) {
        return { kind: 'wrong', reason: `the server sends more than the expected ${options.sizeBytes} bytes` }
      }
    }
    if (options.sizeBytes !== undefined && blob.sizeBytes < options.sizeBytes) {
      return { kind: 'failed', reason: cutReason(options), validator }
    }
    return { kind: 'whole', validator }
  } catch (error) {
    if (error instanceof PibakeError || signal.aborted) throw error
    return { ...explainNetwork(error, options), validator }
  }
}

type Headers = Answer['headers']

const headerText = (headers: Headers, name: string): string | undefined => {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

/** Only a strong ETag or a date may stand in `If-Range`. */
const validatorOf = (headers: Headers): string | undefined => {
  const tag = headerText(headers, 'etag')
  return tag?.startsWith('"') ? tag : headerText(headers, 'last-modified')
}

const announcedBytes = (headers: Headers, offset: number): number | undefined => {
  const length = headerText(headers, 'content-length')
  return length === undefined ? undefined : offset + Number(length)
}

const judgeStatus = (
  statusCode: number,
  headers: Headers,
  offset: number,
  sizeBytes: number | undefined,
): Attempt | undefined => {
  if (statusCode === 404 || statusCode === 410) return { kind: 'gone' }
  if (statusCode === 408 || statusCode === 429 || statusCode >= 500) {
    return { kind: 'failed', reason: `the server answered with status ${statusCode}` }
  }
  if (statusCode === 416 && offset > 0)
    return { kind: 'wrong', reason: 'the server has fewer bytes than arrived before' }
  if (statusCode === 206 && offset > 0) {
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headerText(headers, 'content-range') ?? '') ?? []
    const rightTotal = sizeBytes === undefined || total === '*' || Number(total) === sizeBytes
    return Number(start) === offset && rightTotal
      ? undefined
      : { kind: 'wrong', reason: 'the server sends another range than was asked for' }
  }
  if (statusCode !== 200) return { kind: 'refused', reason: `the server answered with status ${statusCode}` }
  const length = headerText(headers, 'content-length')
  return length === undefined || sizeBytes === undefined || Number(length) === sizeBytes
    ? undefined
    : { kind: 'wrong', reason: `the server announces ${length} bytes instead of ${sizeBytes}` }
}

const cutReason = ({ blob, sizeBytes }: AttemptOptions): string =>
  `the connection was cut after ${blob.sizeBytes}${sizeBytes === undefined ? '' : ` of ${sizeBytes}`} bytes`

const stalls = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT'])
const cuts = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'])

/** Say what broke without naming the server: the texts of system errors do. */
const explainNetwork = (error: unknown, options: AttemptOptions): { kind: 'failed' | 'refused'; reason: string } => {
  const code = firstCode(error)
  if (stalls.has(code)) return { kind: 'failed', reason: `the server stalled after ${options.blob.sizeBytes} bytes` }
  if (cuts.has(code)) return { kind: 'failed', reason: cutReason(options) }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return { kind: 'failed', reason: "the server's name could not be resolved" }
  }
  if (code === 'ECONNREFUSED') return { kind: 'failed', reason: 'the server accepts no connection' }
  if (code === 'ENETUNREACH' || code === 'EHOSTUNREACH') return { kind: 'failed', reason: 'there is no route to it' }
  if (code === 'UND_ERR_INVALID_ARG' || code === 'ERR_INVALID_URL') {
    return { kind: 'refused', reason: 'it is not an address that can be fetched' }
  }
  if (/CERT|SELF_SIGNED|ERR_TLS|UNABLE_TO/.test(code)) {
    return { kind: 'refused', reason: `the server's certificate is not trusted (${code})` }
  }
  return { kind: 'failed', reason: `the transfer failed (${code})` }
}

/** The code of an error, or of the first among its causes and parts. */
const firstCode = (error: unknown): string => {
  const code = errnoOf(error)
  if (code !== undefined) return code
  if (error instanceof AggregateError && error.errors.length > 0) return firstCode(error.errors[0])
  return error instanceof Error && error.cause !== undefined ? firstCode(error.cause) : 'unknown error'
}
