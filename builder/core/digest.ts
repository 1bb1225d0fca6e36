import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

/** A SHA-256 as 64 lower-case hexadecimal digits. */
export type Sha256 = string & { readonly brand: 'sha256' }

const sha256Pattern = /^[0-9a-f]{64}$/

export const isSha256 = (text: string): text is Sha256 => sha256Pattern.test(text)

/** Brand `text` as a digest; a plain Error for anything else, since callers validate user input beforehand. */
export const asSha256 = (text: string): Sha256 => {
  if (!isSha256(text)) throw new Error(`not a sha256: ${text}`)
  return text
}

export const hashBytes = (data: string | Uint8Array): Sha256 =>
  asSha256(createHash('sha256').update(data).digest('hex'))

/** SHA-256 of a file's content, streamed. */
export const hashFile = async (path: string, options: { signal?: AbortSignal } = {}): Promise<Sha256> => {
  const hash = createHash('sha256')
  const stream = createReadStream(path, {
    highWaterMark: 1 << 20,
    ...(options.signal ? { signal: options.signal } : {}),
  })
  for await (const chunk of stream) hash.update(chunk as Uint8Array)
  return asSha256(hash.digest('hex'))
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** JSON with object keys sorted, so that equal values have equal text. */
const canonicalJson = (value: Json): string =>
  JSON.stringify(value, (_key, item: unknown) =>
    item !== null && typeof item === 'object' && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : item,
  )

/** Digest of a value, through its canonical JSON. */
export const hashJson = (value: Json): Sha256 => hashBytes(canonicalJson(value))
