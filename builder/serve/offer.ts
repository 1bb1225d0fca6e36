import type { Sha256 } from '../core/digest.ts'

/** What things belong to, for the account of who fetched what. */
export type Group = 'Debian packages' | 'npm packages' | 'stage packages' | 'images' | 'documentation' | 'pages'

/** A file of this machine. It is sent only while it is the one that was looked at: same size, same time, not a link. */
export interface FileContent {
  kind: 'file'
  /** Absolute. */
  path: string
  sizeBytes: number
  modifiedMs: number
  sha256?: Sha256 | undefined
  /** Read it before it is sent for the first time, and refuse it when it is not what `sha256` says. */
  isVerified?: boolean
}

/** What is sent for one path of the server. */
export type Content =
  | FileContent
  | { kind: 'bytes'; bytes: Buffer }
  /** A text with the address by which the visitor came here, `host:port`: the one that works for the visitor. */
  | { kind: 'text'; render: (host: string) => string | Promise<string> }
  | { kind: 'redirect'; to: string }

export interface Offer {
  content: Content
  group: Group
  /** Media type. */
  type: string
  /** Whether this path will never mean other bytes. */
  isImmutable?: boolean
  /** Content-Security-Policy, for what a browser shows as a page. */
  policy?: string
}

/**
 * All that is served, by path: decoded, as it begins with `/`. A request is looked up here and nowhere else, so no path,
 * however it is written, leads to a file that was not meant.
 */
export type Offers = ReadonlyMap<string, Offer>

/** Nothing is loaded from elsewhere, nothing runs. */
export const pagePolicy =
  "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** For reports, which carry a script of their own: it runs as if it came from nowhere. */
export const reportPolicy =
  "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"

const types: Readonly<Record<string, string>> = {
  asc: 'text/plain; charset=utf-8',
  bmap: 'application/xml',
  css: 'text/css; charset=utf-8',
  deb: 'application/vnd.debian.binary-package',
  gz: 'application/gzip',
  html: 'text/html; charset=utf-8',
  img: 'application/octet-stream',
  jpg: 'image/jpeg',
  json: 'application/json',
  png: 'image/png',
  sha256: 'text/plain; charset=utf-8',
  sources: 'text/plain; charset=utf-8',
  svg: 'image/svg+xml',
  tgz: 'application/gzip',
  txt: 'text/plain; charset=utf-8',
  xz: 'application/x-xz',
  zst: 'application/zstd',
}

/** Media type of a file by how its name ends. */
export const typeOf = (name: string): string =>
  types[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream'

/** An offer of text that is the same for everyone. */
export const bytesOffer = (text: string | Buffer, offer: Omit<Offer, 'content'>): Offer => ({
  ...offer,
  content: { kind: 'bytes', bytes: typeof text === 'string' ? Buffer.from(text) : text },
})
