import { link, lstat, lutimes, mkdir, readdir, readFile, realpath, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf, PibakeError } from '../core/error.ts'
import { parseStanzas, type Stanza } from './deb822.ts'
import { byHashPath, type IndexFile, indexFolder, poolPath, renderIndex } from './release.ts'
import { renderRelease } from './release-file.ts'
import type { RepositoryDeb } from './repository.ts'

/** The name by which the repository's own card calls its suite, whichever release that is of. */
const ownSuite = 'pibake'

/** The packages of each component, by its name. */
export type Components = ReadonlyMap<string, readonly RepositoryDeb[]>

/** A repository on an image: its folder below `root`, such as `srv/pibake/mirror`, and the suite that is meant. */
export interface ImageMirror {
  root: string
  folder: string
  /** Code name of the Debian release that its packages are for. */
  suite: string
  architecture: string
}

/** Put the packages of a component into the pool; returns what to list, with what `below` has in other versions. */
const fillPool = async (
  base: string,
  component: string,
  debs: readonly RepositoryDeb[],
  below: readonly Stanza[],
): Promise<Stanza[]> => {
  const versions = new Set(debs.map(({ stanza }) => `${stanza.Package} ${stanza.Version}`))
  const stanzas = below.filter(({ Package, Version }) => !versions.has(`${Package} ${Version}`))
  for (const { source, stanza } of debs) {
    const path = poolPath(component, stanza)
    await mkdir(join(base, dirname(path)), { recursive: true })
    await link(source, join(base, path))
    stanzas.push({ ...stanza, Filename: path })
  }
  return stanzas
}

/** Write an index under its name and, for who has an older `Release` in hand, under its digest. */
const writeIndex = async (dists: string, file: IndexFile): Promise<void> => {
  const path = join(dists, file.path)
  const byHash = join(dists, byHashPath(file))
  await mkdir(dirname(byHash), { recursive: true })
  await writeFile(path, file.bytes)
  await link(path, byHash)
}

/**
 * Write the repository that an image carries: a pool of linked files, an index for each component, and a `Release` that
 * the card signs at first boot. Its suite is called `pibake` as well, by a link, for the card itself. What `below` has in the same version as the component is
 * left out of the index: apt must find one file for a version. Formats: DebianRepository/Format in Debian's wiki.
 */
export const writeImageMirror = async (
  mirror: ImageMirror,
  options: {
    components: Components
    /** What the repository of the image below lists, from `readImageMirror`; its files stay where they are. */
    below?: ReadonlyMap<string, readonly Stanza[]>
    /** Seconds since 1970, for the `Date:` of the Release file. */
    timeSeconds: number
  },
): Promise<void> => {
  const { root, folder, suite, architecture } = mirror
  const { components, below, timeSeconds } = options
  const base = join(root, folder)
  const dists = join(base, 'dists', suite)
  const names = [...new Set([...components.keys(), ...(below?.keys() ?? [])])]
  const files: IndexFile[] = []
  for (const name of names) {
    const stanzas = await fillPool(base, name, components.get(name) ?? [], below?.get(name) ?? [])
    files.push(...renderIndex(name, architecture, stanzas))
  }
  for (const file of files) await writeIndex(dists, file)
  const release = renderRelease({
    suite: ownSuite,
    codename: suite,
    timeSeconds,
    byHash: true,
    architectures: [architecture],
    components: names,
    indexes: files,
  })
  await writeFile(join(dists, 'Release'), release)
  await symlink(suite, join(base, 'dists', ownSuite))
}

/** Give everything below a folder one fixed time, and the folder itself. */
export const fixTimes = async (root: string): Promise<void> => {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    await lutimes(join(entry.parentPath, entry.name), 0, 0)
  }
  await utimes(root, 0, 0)
}

/** A path in the pool of a component that leads nowhere else. */
const inPool = (component: string): RegExp => new RegExp(`^(?!.*/\\.\\.?(/|$))pool/${component}/`)

/**
 * What the repository lists that an image has carried since it was baked, by component; empty where there is none of
 * this suite. Only packages whose file is in its pool count. Throws `IMAGE_INVALID` for an index that cannot be read.
 */
export const readImageMirror = async ({
  root,
  folder,
  suite,
  architecture,
}: ImageMirror): Promise<Map<string, Stanza[]>> => {
  const base = join(root, folder)
  const dists = join(base, 'dists', suite)
  // A repository behind a link is not the one that a layer on top is merged with.
  const isHere = await realpath(dists).then(
    async (path) => path === join(await realpath(root), folder, 'dists', suite),
    () => false,
  )
  const found = new Map<string, Stanza[]>()
  const names = isHere ? (await readdir(dists)).filter((name) => /^[a-z][a-z-]*$/.test(name)).sort() : []
  for (const component of names) {
    const text = await readIndex(join(dists, indexFolder(component, architecture), 'Packages'))
    const stanzas: Stanza[] = []
    for (const stanza of parseIndex(text, folder)) {
      const { Package, Version, Filename = '', Size } = stanza
      if (!Package || !Version || !inPool(component).test(Filename)) continue
      const status = await lstat(join(base, Filename)).catch(() => undefined)
      if (status?.isFile() && status.size === Number(Size)) stanzas.push(stanza)
    }
    if (stanzas.length > 0) found.set(component, stanzas)
  }
  return found
}

const readIndex = (path: string): Promise<string> =>
  readFile(path, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return ''
    throw error
  })

const parseIndex = (text: string, folder: string): Stanza[] => {
  try {
    return [...parseStanzas(text)]
  } catch (cause) {
    throw new PibakeError('IMAGE_INVALID', `The package index in \`/${folder}\` of the base image is damaged.`, {
      hint: 'Use another copy of the base image, or bake it again.',
      cause,
    })
  }
}
