import { gzipSync } from 'node:zlib'
import { hashBytes } from '../core/digest.ts'
import { formatStanzas, type Stanza } from './deb822.ts'
import type { IndexSum } from './release-file.ts'
import { fileNameOf } from './repository.ts'

/** An index of packages with its path below `dists/<suite>/`. */
export interface IndexFile extends IndexSum {
  bytes: Buffer
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
  ].map((file) => ({ ...file, sizeBytes: file.bytes.length, sha256: hashBytes(file.bytes) }))
}

/** Where an index lies for who has an older `Release` in hand: below its own folder, by its digest. */
export const byHashPath = ({ path, sha256 }: IndexFile): string =>
  `${path.slice(0, path.lastIndexOf('/'))}/by-hash/SHA256/${sha256}`

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
