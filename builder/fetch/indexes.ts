import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { type Key, readKeys } from 'openpgp'
import type { Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import { unpackXzWhole } from '../host/xz.ts'
import type { ArchiveSource, BaseSources, PackagesFrom } from '../lock/request.ts'
import type { Mirrors } from './mirror.ts'
import { buildPackageTable, type IndexText, type PackageTable } from './package-table.ts'
import { type Release, readArchiveKeys, verifyRelease } from './release.ts'

/** Something to bring into the cache, from the first of its addresses that has it. */
export interface WantedBlob {
  label: string
  urls: readonly string[]
  sizeBytes: number
  sha256: Sha256
}

/** The network and the cache, as fetching Debian's packages needs them. */
export interface DebianSource {
  /** A small file as text; undefined when the server has none. */
  readText: (url: string) => Promise<string | undefined>
  /** Whether the cache has a blob already. */
  has: (sha256: Sha256) => Promise<boolean>
  /** Bring these into the cache, verified; returns those that no address has. Other failures throw. */
  bring: (wanted: readonly WantedBlob[]) => Promise<readonly WantedBlob[]>
  /** Where the cache keeps a blob. */
  blobPath: (sha256: Sha256) => string
}

/** The verified index of one suite with its lists of packages in the cache. */
export interface SuiteIndex {
  release: Release
  /** The packages that may be taken of it; all when undefined. */
  only?: readonly string[]
  inRelease: string
  lists: readonly { component: string; architecture: string; path: string; sha256: Sha256; sizeBytes: number }[]
}

const debianComponents = ['main', 'non-free-firmware'] as const

export interface IndexOptions {
  source: DebianSource
  mirrors: Mirrors
  suite: string
  /** Packages that are taken from other suites, by suite. */
  packagesFrom?: PackagesFrom
  /** Where a base image takes its packages from. */
  sources?: BaseSources
  architecture: string
  /** Architectures whose packages are taken besides. */
  foreignArchitectures?: readonly string[]
  /** What signatures and Valid-Until are held against. */
  now: Date
  /** Take an index although its Valid-Until has passed; its signature still has to be good. */
  acceptExpired?: boolean
  /** The keys that may sign an archive (those shipped with pibake). */
  readKeys?: typeof readArchiveKeys
  emit: Emit
}

/** A suite at its address. */
interface Place {
  archive: string
  base: string
  name: string
  components: readonly string[]
  /** Which of the wanted ones it is for; all when empty. */
  architectures: readonly string[]
  keys: () => Promise<Key[]>
  only?: readonly string[]
  /** Whether there is nothing without it. */
  needed: boolean
}

/**
 * Fetch and verify the indexes of a suite with its updates and security updates, and of other suites that packages are
 * taken from; a suite without updates is fine. Throws `SIGNATURE_INVALID`, or `NETWORK` when a suite or one of its lists
 * is not there.
 */
export const fetchIndexes = (options: IndexOptions): Promise<SuiteIndex[]> => {
  const { suite, architecture, emit } = options
  const id = `indexes:${suite}:${architecture}`
  return runStep(emit, { id, title: `Read the package lists of ${suite} (${architecture})` }, async () => {
    const { debian, others } = options.sources ?? { debian: true, others: [] }
    const places = [...(debian ? debianPlaces(options) : []), ...others.map((source) => placeOf(source, options))]
    const indexes = await Promise.all(places.map((place) => fetchIndex(place, options)))
    const absent = places.find(({ needed }, index) => needed && indexes[index] === undefined)
    if (absent) {
      const other = `PIBAKE_MIRROR_${absent.archive.toUpperCase().replaceAll('-', '_')}`
      throw new PibakeError('NETWORK', `The mirror has no suite \`${absent.name}\`: ${absent.base}`, {
        hint: `Check the address; it must be the folder that holds \`dists/\` and \`pool/\`. ${absent.archive === 'main' ? '`--mirror`' : `The environment variable ${other}`} names another.`,
      })
    }
    return indexes.filter((index) => index !== undefined)
  })
}

/** A suite of Debian's with its updates and security updates, and the suites that some packages are taken from. */
const debianPlaces = ({
  mirrors,
  suite,
  packagesFrom,
  readKeys: read = readArchiveKeys,
  emit,
}: IndexOptions): Place[] => {
  const { main, security } = mirrors
  if (security === undefined) emit({ type: 'notice', level: 'warn', message: noSecurity })
  const components = debianComponents
  const place = { archive: 'main', base: main, components, architectures: [], keys: () => read('main'), needed: true }
  return [
    { ...place, name: suite },
    { ...place, name: `${suite}-updates`, needed: false },
    ...(security === undefined
      ? []
      : [
          {
            ...{ archive: 'security', base: security, name: `${suite}-security` },
            ...{ components, architectures: [], keys: () => read('security'), needed: false },
          },
        ]),
    ...Object.entries(packagesFrom ?? {}).map(([name, only]): Place => ({ ...place, name, only })),
  ]
}

const placeOf = (
  { archive, uri, suite, components, architectures, keys }: ArchiveSource,
  { mirrors }: IndexOptions,
): Place => ({
  archive,
  architectures,
  base: mirrors.others?.[archive] ?? uri,
  name: suite,
  components,
  keys: async () => (await Promise.all(keys.map((armoredKeys) => readKeys({ armoredKeys })))).flat(),
  needed: true,
})

const noSecurity =
  'No source of security updates is known; name one in PIBAKE_SECURITY_MIRROR, or the image starts without them.'

const fetchIndex = async (place: Place, options: IndexOptions): Promise<SuiteIndex | undefined> => {
  const { archive, base, name, components, only } = place
  const wantedArchitectures = [options.architecture, ...(options.foreignArchitectures ?? [])].filter(
    (architecture) => place.architectures.length === 0 || place.architectures.includes(architecture),
  )
  const folder = `${base}/dists/${name}`
  const inRelease = await options.source.readText(`${folder}/InRelease`)
  if (inRelease === undefined) {
    options.emit({ type: 'debug', message: `there is no suite ${name} at ${base}` })
    return undefined
  }
  const keys = await place.keys()
  const release = await verifyRelease(inRelease, { ...options, archive, name, keys })
  if (release.validUntil && release.validUntil < options.now) {
    const message = `The mirror's index of \`${name}\` is out of date since ${release.validUntil.toISOString()}.`
    options.emit({ type: 'notice', level: 'warn', message })
  }
  const lists = components.flatMap((component) =>
    wantedArchitectures.flatMap((architecture) => {
      // Debian's archives have them as xz, as most have; some know gzip only.
      for (const form of ['.xz', '.gz', '']) {
        const path = `${component}/binary-${architecture}/Packages${form}`
        const file = release.files.get(path)
        if (file) return [{ component, architecture, path, ...file }]
      }
      return []
    }),
  )
  const wanted = lists.map(({ path, sha256, sizeBytes }) => {
    const byHash = `${folder}/${path.replace(/[^/]+$/, '')}by-hash/SHA256/${sha256}`
    const urls = release.byHash ? [byHash, `${folder}/${path}`] : [`${folder}/${path}`]
    return { label: `${name} ${path}`, urls, sizeBytes, sha256 }
  })
  const missing = await options.source.bring(wanted)
  if (missing.length > 0) {
    throw new PibakeError('NETWORK', `The mirror lacks lists that its signed index names for \`${name}\`.`, {
      hint: 'The mirror is probably being updated: try again in some minutes, or name another one with `--mirror`.',
      details: missing.map(({ label }) => label),
    })
  }
  return { release, inRelease, lists, ...(only ? { only } : {}) }
}

const unpackList = async (path: string, content: Buffer<ArrayBuffer>): Promise<Buffer> => {
  if (path.endsWith('.xz')) return unpackXzWhole(content)
  return path.endsWith('.gz') ? promisify(gunzip)(content) : content
}

/** Read the lists of packages of some indexes from the cache into one table. */
export const readPackageTable = async (
  indexes: readonly SuiteIndex[],
  blobPath: (sha256: Sha256) => string,
): Promise<PackageTable> => {
  const texts: IndexText[] = []
  for (const { release, lists, only } of indexes) {
    for (const { path, sha256 } of lists) {
      const text = (await unpackList(path, await readFile(blobPath(sha256)))).toString('utf8')
      texts.push({ archive: release.archive, text, ...(only ? { suite: release.name } : {}) })
    }
  }
  return buildPackageTable(texts)
}

/** The newest date of some indexes: the time a lock stands for. */
export const timeOf = (indexes: readonly SuiteIndex[]): string =>
  new Date(Math.max(...indexes.map(({ release }) => release.date.getTime()))).toISOString()
