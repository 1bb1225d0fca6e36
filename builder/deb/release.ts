import { gzipSync } from 'node:zlib'
import { hashBytes, type Sha256 } from '../core/digest.ts'
import { formatStanzas, type Stanza } from './deb822.ts'
import { fileNameOf } from './repository.ts'

/** An index of packages with its path below `dists/<suite>/`. */
export interface IndexFile {
  path: string
  bytes: Buffer
  sha256: Sha256
}

/** What a Release file says of a suite. */
export interface Suite {
  /** By what name apt may ask for it besides the code name. */
  suite: string
  /** Code name of the Debian release that its packages are for. */
  codename: string
  /** Seconds since 1970. */
  timeSeconds: number
  architectures: readonly string[]
  components: readonly string[]
}

const byFileName = (a: Stanza, b: Stanza): number => {
  const [left, right] = [fileNameOf(a), fileNameOf(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

/** Name in a pool of the folder for a package (Debian's archive has the same). */
const poolPrefix = (name: string): string => (name.startsWith('lib') ? name.slice(0, 4) : name.slice(0, 1))

/** Where a package lies below the address of a repository. */
export const poolPath = (component: string, stanza: Stanza): string => {
  const { Package = '' } = stanza
  return `pool/${component}/${poolPrefix(Package)}/${Package}/${fileNameOf(stanza)}`
}

/** The folder of an index below `dists/<suite>/`. */
export const indexFolder = (component: string, architecture: string): string => `${component}/binary-${architecture}`

/** The index of a component for one architecture, plain and compressed; the order of the packages leaves no trace. */
export const renderIndex = (component: string, architecture: string, stanzas: readonly Stanza[]): IndexFile[] => {
  const path = `${indexFolder(component, architecture)}/Packages`
  const packages = Buffer.from(formatStanzas(stanzas.toSorted(byFileName)))
  return [
    { path, bytes: packages },
    { path: `${path}.gz`, bytes: gzipSync(packages, { level: 9 }) },
  ].map((file) => ({ ...file, sha256: hashBytes(file.bytes) }))
}

/** Where an index lies for who has an older `Release` in hand: below its own folder, by its digest. */
export const byHashPath = ({ path, sha256 }: IndexFile): string =>
  `${path.slice(0, path.lastIndexOf('/'))}/by-hash/SHA256/${sha256}`

/** The Release file of a suite, not signed yet. Format: DebianRepository/Format in Debian's wiki. */
export const renderRelease = (of: Suite, files: readonly IndexFile[]): string => {
  const { suite, codename, timeSeconds, architectures, components } = of
  const lines = [
    'Origin: pibake',
    'Label: pibake',
    `Suite: ${suite}`,
    `Codename: ${codename}`,
    `Date: ${new Date(timeSeconds * 1000).toUTCString().replace('GMT', 'UTC')}`,
    'Acquire-By-Hash: yes',
    `Architectures: ${architectures.join(' ')}`,
    `Components: ${components.join(' ')}`,
    'SHA256:',
    ...files.map(({ path, bytes, sha256 }) => ` ${sha256} ${bytes.length} ${path}`),
  ]
  return `${lines.join('\n')}\n`
}

/** An apt source, sources.list(5), that carries the key which signs it. */
export const renderSource = (source: {
  uri: string
  suite: string
  components: readonly string[]
  /** ASCII-armoured. */
  publicKey: string
}): string => {
  const key = source.publicKey
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => ` ${line === '' ? '.' : line}`)
  return [
    'Types: deb',
    `URIs: ${source.uri}`,
    `Suites: ${source.suite}`,
    `Components: ${source.components.join(' ')}`,
    'Signed-By:',
    ...key,
    '',
  ].join('\n')
}
