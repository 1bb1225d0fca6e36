import type { IncomingMessage } from 'node:http'

/** No path that is offered is longer. */
const longestPath = 1024

/**
 * The path that a request is for, as it may be looked up: decoded, and as it was sent, for files whose names have a `%`
 * in them; or the status that refuses it. Nothing is resolved: `..` is a name like any other, which nothing has.
 */
export const wantedPath = (url: string): readonly string[] | 400 | 414 => {
  const path = url.split(/[?#]/, 1)[0] ?? ''
  if (path.length > longestPath) return 414
  if (!path.startsWith('/')) return 400
  try {
    return [decodeURIComponent(path), path]
  } catch {
    return 400
  }
}

/** What of an address may be shown: nothing in it steers a terminal, whatever a parser lets through. */
export const shownPath = (url: string): string => url.slice(0, 200).replaceAll(/[^\x21-\x7e]/g, '?')

const hostPattern = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/

/** Addresses of IPv4 as they are written everywhere else, without what a socket for both families puts before them. */
export const plainAddress = (address: string | undefined): string =>
  (address ?? 'unknown').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, '').replace(/%.*$/, '')

/** `host:port` as the visitor knows this server; its own address where what the visitor says cannot be one. */
export const visitorHost = ({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>): string => {
  const { host } = headers
  if (host !== undefined && hostPattern.test(host)) return host
  const address = plainAddress(socket.localAddress)
  return `${address.includes(':') ? `[${address}]` : address}:${socket.localPort}`
}

const programs: readonly (readonly [RegExp, string])[] = [
  [/^pibake\b/, 'pibake'],
  [/^Debian APT|\bapt\b/i, 'apt'],
  [/^npm\//, 'npm'],
  [/rpi-imager/i, 'Raspberry Pi Imager'],
  [/^Wget\//i, 'wget'],
  [/^curl\//, 'curl'],
  [/bmaptool/i, 'bmaptool'],
  [/^Mozilla\//, 'browser'],
]

/** The program that asks, by what it says of itself. */
export const programOf = (userAgent: string | undefined): string =>
  programs.find(([pattern]) => pattern.test(userAgent ?? ''))?.[1] ?? 'another program'
