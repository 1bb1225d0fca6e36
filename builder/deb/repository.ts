import { link, mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { hashBytes } from '../core/digest.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import { formatStanzas, parseStanzas, type Stanza } from './deb822.ts'

/** Name of a package's file as apt's own archive folder has it; the epoch's colon is escaped. */
export const debFileName = ({
  name,
  version,
  architecture,
}: {
  name: string
  version: string
  architecture: string
}): string => `${name}_${version.replaceAll(':', '%3a')}_${architecture}.deb`

/**
 * Read the control stanzas of all packages in a folder, with `Filename`, `Size` and `SHA256`, as apt-ftparchive(1)
 * writes them.
 */
export const scanPackages = async (tools: Tools, folder: string, signal?: AbortSignal): Promise<string> => {
  const off = ['MD5', 'SHA1', 'SHA512'].flatMap((hash) => ['-o', `APT::FTPArchive::${hash}=false`])
  const { stdout } = await runTool(tools, ['apt-ftparchive', ...off, 'packages', '.'], {
    readOnly: [folder],
    cwd: folder,
    ...(signal ? { signal } : {}),
  })
  return `${stdout}\n`
}

/** A package to put into a repository: where its file is, and its control stanza. */
export interface RepositoryDeb {
  source: string
  stanza: Stanza
}

/** Put packages and their index into one flat folder, as `deb [trusted=yes] file:… ./` reads it. Files are linked. */
export const writeFlatRepository = async (folder: string, debs: readonly RepositoryDeb[]): Promise<void> => {
  await mkdir(folder, { recursive: true })
  const stanzas: Stanza[] = []
  for (const { source, stanza } of debs) {
    const name = fileNameOf(stanza)
    await link(source, join(folder, name))
    stanzas.push({ ...stanza, Filename: `./${name}` })
  }
  await writeFile(join(folder, 'Packages'), formatStanzas(stanzas))
}

const fileNameOf = ({ Package = '', Version = '', Architecture = '' }: Stanza): string =>
  debFileName({ name: Package, version: Version, architecture: Architecture })

/**
 * Write the repository that an image carries below `root`: a pool of linked files, the index, and a `Release` that the
 * card signs at first boot. Everything in it has one fixed time, because linked files share theirs with the cache.
 */
export const writeImageMirror = async (options: {
  root: string
  /** Folder of the repository below `root`, such as `srv/pibake/mirror`. */
  folder: string
  debs: readonly RepositoryDeb[]
  architecture: string
  /** Seconds since 1970, for the `Date:` of the Release file. */
  timeSeconds: number
}): Promise<void> => {
  const { root, folder, debs, architecture, timeSeconds } = options
  const base = join(root, folder)
  const stanzas: Stanza[] = []
  for (const { source, stanza } of debs.toSorted((a, b) => (fileNameOf(a.stanza) < fileNameOf(b.stanza) ? -1 : 1))) {
    const { Package = '' } = stanza
    const prefix = Package.startsWith('lib') ? Package.slice(0, 4) : Package.slice(0, 1)
    const path = join('pool', 'main', prefix, Package, fileNameOf(stanza))
    await mkdir(join(base, dirname(path)), { recursive: true })
    await link(source, join(base, path))
    stanzas.push({ ...stanza, Filename: path })
  }
  const index = join('main', `binary-${architecture}`)
  const packages = Buffer.from(formatStanzas(stanzas))
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

/** Read back the stanzas of a package index by file name. */
export const stanzasByFile = (packages: string): Map<string, Stanza> => {
  const found = new Map<string, Stanza>()
  for (const stanza of parseStanzas(packages)) if (stanza.Filename) found.set(basename(stanza.Filename), stanza)
  return found
}
