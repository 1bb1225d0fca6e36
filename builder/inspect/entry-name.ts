import { isUtf8 } from 'node:buffer'

/** A name as text; one that is no UTF-8 gets `\xNN` for each byte that is not ASCII, so that no two names become one. */
export const decodeName = (bytes: Buffer): string =>
  isUtf8(bytes)
    ? bytes.toString('utf8')
    : [...bytes]
        .map((byte) => (byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`))
        .join('')

/** The path of `name` in `folder`. */
export const joinPath = (folder: string, name: string): string => (folder === '/' ? `/${name}` : `${folder}/${name}`)

/** Order by code unit, the same everywhere. */
export const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
