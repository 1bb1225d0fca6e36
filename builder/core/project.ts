import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Folder beside the images, and beside the tools trees, that they are made in before they take their names. */
export const unfinishedFolder = '.unfinished'

/** Where a checkout keeps its things; all absolute. Derived from the folder the launcher lives in. */
export interface Project {
  /** The checkout. */
  root: string
  stages: string
  profiles: string
  overlays: string
  /** Content-addressed store, locks, sealed layers. */
  cache: string
  locks: string
  images: string
  /** Machine-local state: Node, the unpacked tools tree, logs, scratch. Safe to delete. */
  state: string
  /** Intermediate files of runs, on the cache's file system. */
  work: string
  /** The stick that pibake was started from (see `kit/`); it has what the cache lacks. */
  stick?: string
}

/** `stick` is the folder of the stick that pibake was started from, if any. */
export const projectAt = (root: string, { stick }: { stick?: string | undefined } = {}): Project => ({
  root,
  stages: join(root, 'stages'),
  profiles: join(root, 'stages', 'profiles'),
  overlays: join(root, 'overlays'),
  cache: join(root, 'packages-cache'),
  locks: join(root, 'packages-cache', 'locks'),
  images: join(root, 'images'),
  state: join(root, '.pibake'),
  work: join(root, 'packages-cache', 'work'),
  ...(stick === undefined || stick === '' ? {} : { stick }),
})

/** Where runs have their intermediate files: all that has to be swept after one that was killed. */
export const scratchFolders = ({ work, images, state }: Project): string[] => [
  work,
  join(images, unfinishedFolder),
  join(state, unfinishedFolder),
]

/** The version of pibake in a checkout. */
export const readVersion = async ({ root }: Pick<Project, 'root'>): Promise<string> => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  return version
}
