import { readFile } from 'node:fs/promises'
import type { Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import { unpackXzWhole } from '../host/xz.ts'
import type { PackagesFrom } from '../lock/request.ts'
import type { Mirrors } from './mirror.ts'
import { buildPackageTable, type IndexText, type PackageTable } from './package-table.ts'
import { type ArchiveName, type Release, readArchiveKeys, verifyRelease } from './release.ts'

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
  lists: readonly { component: string; path: string; sha256: Sha256; sizeBytes: number }[]
}

const components = ['main', 'non-free-firmware'] as const

export interface IndexOptions {
  source: DebianSource
  mirrors: Mirrors
  suite: string
  /** Packages that are taken from other suites, by suite. */
  packagesFrom?: PackagesFrom
  architecture: string
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
  archive: ArchiveName
  base: string
  name: string
  only?: readonly string[]
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
    const { main, security } = options.mirrors
    if (security === undefined) emit({ type: 'notice', level: 'warn', message: noSecurity })
    const others = Object.entries(options.packagesFrom ?? {})
    const places: Place[] = [
      { archive: 'main', base: main, name: suite },
      { archive: 'main', base: main, name: `${suite}-updates` },
      ...(security === undefined ? [] : [{ archive: 'security' as const, base: security, name: `${suite}-security` }]),
      ...others.map(([name, only]): Place => ({ archive: 'main', base: main, name, only })),
    ]
    const indexes = await Promise.all(places.map((place) => fetchIndex(place, options)))
    const needed = new Set([suite, ...others.map(([name]) => name)])
    const absent = places.find(({ name }, index) => needed.has(name) && indexes[index] === undefined)
    if (absent) {
      throw new PibakeError('NETWORK', `The mirror has no suite \`${absent.name}\`: ${main}`, {
        hint: 'Check the address; it must be the folder that holds `dists/` and `pool/`. `--mirror` names another.',
      })
    }
    return indexes.filter((index) => index !== undefined)
  })
}

const noSecurity =
  'No source of security updates is known; name one in PIBAKE_SECURITY_MIRROR, or the image starts without them.'

const fetchIndex = async (place: Place, options: IndexOptions): Promise<SuiteIndex | undefined> => {
  const { archive, base, name, only } = place
  const folder = `${base}/dists/${name}`
  const inRelease = await options.source.readText(`${folder}/InRelease`)
  if (inRelease === undefined) {
    options.emit({ type: 'debug', message: `there is no suite ${name} at ${base}` })
    return undefined
  }
  const keys = await (options.readKeys ?? readArchiveKeys)(archive)
  const release = await verifyRelease(inRelease, { ...options, archive, name, keys })
  if (release.validUntil && release.validUntil < options.now) {
    const message = `The mirror's index of \`${name}\` is out of date since ${release.validUntil.toISOString()}.`
    options.emit({ type: 'notice', level: 'warn', message })
  }
  const lists = components.flatMap((component) => {
    const path = `${component}/binary-${options.architecture}/Packages.xz`
    const file = release.files.get(path)
    return file ? [{ component, path, ...file }] : []
  })
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

/** Read the lists of packages of some indexes from the cache into one table. */
export const readPackageTable = async (
  indexes: readonly SuiteIndex[],
  blobPath: (sha256: Sha256) => string,
): Promise<PackageTable> => {
  const texts: IndexText[] = []
  for (const { release, lists, only } of indexes) {
    for (const { sha256 } of lists) {
      const text = (await unpackXzWhole(await readFile(blobPath(sha256)))).toString('utf8')
      texts.push({ archive: release.archive, text, ...(only ? { suite: release.name } : {}) })
    }
  }
  return buildPackageTable(texts)
}

/** The newest date of some indexes: the time a lock stands for. */
export const timeOf = (indexes: readonly SuiteIndex[]): string =>
  new Date(Math.max(...indexes.map(({ release }) => release.date.getTime()))).toISOString()
