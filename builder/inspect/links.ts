import { posix } from 'node:path'
import type { Entry, Volume } from './volume.ts'

/** As many links as Linux follows before it calls it a loop. */
const mostLinks = 40

/** The path without links in its folders, as far as they exist: `/lib/x` is `/usr/lib/x` where `/usr` is merged. */
export const resolveFolders = (volume: Volume, path: string): string => {
  let resolved = ''
  const parts = path.split('/').filter((part) => part !== '')
  for (let links = 0; parts.length > 1; ) {
    const next = `${resolved}/${parts.shift()}`
    const entry = volume.entries.get(next)
    if (entry?.kind === 'link' && entry.target !== undefined && links < mostLinks) {
      links += 1
      const target = posix.resolve(resolved === '' ? '/' : resolved, entry.target)
      parts.unshift(...target.split('/').filter((part) => part !== ''))
      resolved = ''
    } else resolved = next
  }
  return `${resolved}/${parts[0] ?? ''}`
}

/** The entry that a path leads to, links followed within the volume; undefined where there is none. */
export const resolveEntry = (volume: Volume, path: string): Entry | undefined => {
  let place = path
  for (let links = 0; links < mostLinks; links += 1) {
    place = resolveFolders(volume, place)
    const entry = volume.entries.get(place)
    if (entry?.kind !== 'link' || entry.target === undefined) return entry
    place = posix.resolve(posix.dirname(place), entry.target)
  }
  return undefined
}
