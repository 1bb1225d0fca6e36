import type { InstalledPackage } from './dpkg.ts'
import { resolveFolders } from './links.ts'
import type { Entry, Volume } from './volume.ts'

export interface Usage {
  /** Whole blocks, as they are missing from the free space of the card. */
  sizeBytes: number
  files: number
}

/** Where the space of a root file system went; its parts add up to what is used. */
export interface SpaceUse {
  /** By package. */
  packages: Map<string, Usage>
  /** Files of no package, by the folder they are in: `/srv/pibake/mirror`. */
  others: Map<string, Usage>
  /** Folders, and what the file system takes for itself: journal, inodes, bitmaps. */
  overheadBytes: number
}

/** How many folders deep files of no package are told apart. */
const depth = 3

const groupOf = (path: string): string => {
  const folders = path.split('/').slice(1, -1)
  return `/${folders.slice(0, depth).join('/')}`
}

/** Bytecode that Python compiled from a package's module belongs to that package. */
const bytecode = /^(.*)\/__pycache__\/([^/]+)\.cpython-\d+(?:\.opt-\d)?\.pyc$/

const sourceOf = (path: string): string => path.replace(bytecode, '$1/$2.py')

/** The package of each path that is no folder; where several have it, the first. */
export const findOwners = (volume: Volume, packages: readonly InstalledPackage[]): Map<string, string> => {
  const owners = new Map<string, string>()
  // Thousands of files share few folders.
  const folders = new Map<string, string>()
  const place = (path: string): string => {
    const slash = path.lastIndexOf('/')
    const folder = path.slice(0, slash)
    let resolved = folders.get(folder)
    if (resolved === undefined) {
      resolved = resolveFolders(volume, `${folder}/x`).slice(0, -'/x'.length)
      folders.set(folder, resolved)
    }
    return resolved + path.slice(slash)
  }
  for (const { name, paths } of packages) {
    for (const path of paths) {
      const entry = volume.entries.get(place(path))
      if (entry && entry.kind !== 'folder' && !owners.has(entry.path)) owners.set(entry.path, name)
    }
  }
  return owners
}

const add = (to: Map<string, Usage>, key: string, { usedBytes }: Entry): void => {
  const usage = to.get(key) ?? { sizeBytes: 0, files: 0 }
  usage.sizeBytes += usedBytes
  usage.files += 1
  to.set(key, usage)
}

/**
 * Say which package each block of a root file system is for, after `owners`. Hard links count once, for the first of
 * their names.
 */
export const measureSpace = (volume: Volume, owners: ReadonlyMap<string, string>): SpaceUse => {
  const space: SpaceUse = { packages: new Map(), others: new Map(), overheadBytes: volume.usedBytes }
  const counted = new Set<number>()
  for (const entry of volume.entries.values()) {
    if (entry.kind === 'folder' || counted.has(entry.inode)) continue
    counted.add(entry.inode)
    const owner = owners.get(entry.path) ?? owners.get(sourceOf(entry.path))
    if (owner === undefined) add(space.others, groupOf(entry.path), entry)
    else add(space.packages, owner, entry)
    space.overheadBytes -= entry.usedBytes
  }
  return space
}
