import { link, lstat, mkdir, readdir, readFile, realpath, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { hashBytes } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import { formatStanzas, parseStanzas, type Stanza } from './deb822.ts'
import { fileNameOf, type RepositoryDeb } from './repository.ts'

const byFileName = (a: Stanza, b: Stanza): number => {
  const [left, right] = [fileNameOf(a), fileNameOf(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

const indexFolder = (architecture: string): string => join('main', `binary-${architecture}`)

/**
 * Write the repository that an image carries below `root`: a pool of linked files, the index, and a `Release` that the
 * card signs at first boot. Everything in it has one fixed time, because linked files share theirs with the cache.
 * What `below` has in the same version as `debs` is left out of the index: apt must find one file for a version.
 */
export const writeImageMirror = async (options: {
  root: string
  /** Folder of the repository below `root`, such as `srv/pibake/mirror`. */
  folder: string
  debs: readonly RepositoryDeb[]
  /** What the repository of the image below lists, from `readImageMirror`; its files stay where they are. */
  below?: readonly Stanza[]
  architecture: string
  /** Seconds since 1970, for the `Date:` of the Release file. */
  timeSeconds: number
}): Promise<void> => {
  const { root, folder, debs, below = [], architecture, timeSeconds } = options
  const base = join(root, folder)
  const versions = new Set(debs.map(({ stanza }) => `${stanza.Package} ${stanza.Version}`))
  const stanzas = below.filter(({ Package, Version }) => !versions.has(`${Package} ${Version}`))
  for (const { source, stanza } of debs) {
    const { Package = '' } = stanza
    const prefix = Package.startsWith('lib') ? Package.slice(0, 4) : Package.slice(0, 1)
    const path = join('pool', 'main', prefix, Package, fileNameOf(stanza))
    await mkdir(join(base, dirname(path)), { recursive: true })
    await link(source, join(base, path))
    stanzas.push({ ...stanza, Filename: path })
  }
  const index = indexFolder(architecture)
  const packages = Buffer.from(formatStanzas(stanzas.sort(byFileName)))
  const files = new Map([
    [join(index, 'Packages'), packages],
    [join(index, 'Packages.gz'), gzipSync(packages, { level: 9 })],
  ])
  const dists = join(base, 'dists', 'pibake')
  await mkdir(join(dists, index), { recursive: true })
  for (const [path, bytes] of files) await writeFile(join(dists, path), bytes)
  const sums = [...files].map(([path, bytes]) => ` ${hashBytes(bytes)} ${bytes.length} ${path}`)
  const release = [
    'Origin: pibake',
    'Label: pibake',
    'Suite: pibake',
    'Codename: pibake',
    `Date: ${new Date(timeSeconds * 1000).toUTCString().replace('GMT', 'UTC')}`,
    `Architectures: ${architecture}`,
    'Components: main',
    'SHA256:',
    ...sums,
  ]
  await writeFile(join(dists, 'Release'), `${release.join('\n')}\n`)
  await fixTimes(root)
}

const fixTimes = async (root: string): Promise<void> => {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    await utimes(join(entry.parentPath, entry.name), 0, 0)
  }
  await utimes(root, 0, 0)
}

/** A path in the pool that leads nowhere else. */
const poolPath = /^(?!.*\/\.\.?(\/|$))pool\//

/**
 * What the repository lists that an image has carried below `root` since it was baked; empty where there is none.
 * Only packages whose file is in its pool count. Throws `IMAGE_INVALID` for an index that cannot be read.
 */
export const readImageMirror = async (options: {
  root: string
  folder: string
  architecture: string
}): Promise<Stanza[]> => {
  const { root, folder, architecture } = options
  const base = join(root, folder)
  // A repository behind a link is not the one that a layer on top is merged with.
  const isHere = await realpath(base).then(
    async (path) => path === join(await realpath(root), folder),
    () => false,
  )
  const text = isHere ? await readIndex(join(base, 'dists', 'pibake', indexFolder(architecture), 'Packages')) : ''
  const stanzas: Stanza[] = []
  for (const stanza of parseIndex(text, folder)) {
    const { Package, Version, Filename = '', Size } = stanza
    if (!Package || !Version || !poolPath.test(Filename)) continue
    const status = await lstat(join(base, Filename)).catch(() => undefined)
    if (status?.isFile() && status.size === Number(Size)) stanzas.push(stanza)
  }
  return stanzas
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
