import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { join } from 'node:path'

export interface TreeEntry {
  /** Path inside the tree, absolute: `/etc/fstab`; the root itself is `/`. */
  path: string
  name: string
  stats: Stats
  /** Names of a folder's entries, sorted by code unit. */
  children: readonly string[]
}

/**
 * Every entry of a tree, folders before what they hold, in the same order everywhere; links are not followed.
 * `skip` leaves out a path and all beneath it.
 */
export function* walkTree(root: string, skip: (path: string) => boolean = () => false): Generator<TreeEntry> {
  const pending = ['/']
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const stats = lstatSync(join(root, path))
    const children = stats.isDirectory() ? readdirSync(join(root, path)).sort() : []
    yield { path, name: path.slice(path.lastIndexOf('/') + 1), stats, children }
    for (const name of children.toReversed()) {
      const child = path === '/' ? `/${name}` : `${path}/${name}`
      if (!skip(child)) pending.push(child)
    }
  }
}
