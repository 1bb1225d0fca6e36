import { basename, dirname, join } from 'node:path'
import { isSha256, type Sha256 } from '../core/digest.ts'

/** `a.img.xz`, `a.img`, `a`: names that what lies beside an archive may be called after (as bmaptool looks for it). */
export const namesBeside = (path: string): string[] => {
  const names = [path]
  for (let name = basename(path); /\.(?:xz|gz|zst|zip|img)$/i.test(name); ) {
    name = name.replace(/\.[^.]+$/, '')
    if (name !== '') names.push(join(dirname(path), name))
  }
  return names
}

/** The digest of `name` in the text of a `.sha256`, as sha256sum(1) writes it; one that names no file is of the only one. */
export const checksumFor = (text: string, name: string): Sha256 | undefined => {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  for (const line of lines) {
    const [, digest = '', file] = /^([0-9a-fA-F]{64})(?:\s+\*?(.+?))?\s*$/.exec(line) ?? []
    const wanted = digest.toLowerCase()
    if (isSha256(wanted) && (file === undefined ? lines.length === 1 : basename(file) === name)) return wanted
  }
  return undefined
}
