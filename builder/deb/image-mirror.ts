import { link, lstat, lutimes, mkdir, readdir, readFile, realpath, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { hashBytes, type Sha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import { formatStanzas, parseStanzas, type Stanza } from './deb822.ts'
import { fileNameOf, type RepositoryDeb } from './repository.ts'

const byFileName = (a: Stanza, b: Stanza): number => {
  const [left, right] = [fileNameOf(a), fileNameOf(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

const indexFolder = (component: string, architecture: string): string => join(component, `binary-${architecture}`)

/** Name in a pool of the folder for a package (Debian's archive has the same). */
const poolPrefix = (name: string): string => (name.startsWith('lib') ? name.slice(0, 4) : name.slice(0, 1))

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

/** Put the packages of a component into the pool; returns its index, with what `below` has in other versions. */
const fillPool = async (
  base: string,
  component: string,
  debs: readonly RepositoryDeb[],
  below: readonly Stanza[],
): Promise<Buffer> => {
  const versions = new Set(debs.map(({ stanza }) => `${stanza.Package} ${stanza.Version}`))
  const stanzas = below.filter(({ Package, Version }) => !versions.has(`${Package} ${Version}`))
  for (const { source, stanza } of debs) {
    const { Package = '' } = stanza
    const path = join('pool', component, poolPrefix(Package), Package, fileNameOf(stanza))
    await mkdir(join(base, dirname(path)), { recursive: true })
    await link(source, join(base, path))
    stanzas.push({ ...stanza, Filename: path })
  }
  return Buffer.from(formatStanzas(stanzas.sort(byFileName)))
}

/** Write an index under its name and, for who has an older `Release` in hand, under its digest. Returns the digest. */
const writeIndex = async (path: string, bytes: Buffer): Promise<Sha256> => {
  const digest = hashBytes(bytes)
  const byHash = join(dirname(path), 'by-hash', 'SHA256')
  await mkdir(byHash, { recursive: true })
  await writeFile(path, bytes)
  await link(path, join(byHash, digest))
  return digest
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
  const sums: string[] = []
  for (const name of names) {
    const packages = await fillPool(base, name, components.get(name) ?? [], below?.get(name) ?? [])
    const index = join(indexFolder(name, architecture), 'Packages')
    for (const [path, bytes] of [
      [index, packages],
      [`${index}.gz`, gzipSync(packages, { level: 9 })],
    ] as const) {
      sums.push(` ${await writeIndex(join(dists, path), bytes)} ${bytes.length} ${path}`)
    }
  }
  const release = [
    'Origin: pibake',
    'Label: pibake',
    `Suite: ${ownSuite}`,
    `Codename: ${suite}`,
    `Date: ${new Date(timeSeconds * 1000).toUTCString().replace('GMT', 'UTC')}`,
    'Acquire-By-Hash: yes',
    `Architectures: ${architecture}`,
    `Components: ${names.join(' ')}`,
    'SHA256:',
    ...sums,
  ]
  await writeFile(join(dists, 'Release'), `${release.join('\n')}\n`)
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
const poolPath = (component: string): RegExp => new RegExp(`^(?!.*/\\.\\.?(/|$))pool/${component}/`)

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
      if (!Package || !Version || !poolPath(component).test(Filename)) continue
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
