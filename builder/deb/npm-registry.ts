import { link, mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { list } from 'tar'
import { PibakeError } from '../core/error.ts'
import { collectContent } from './read-tar.ts'
import { compareVersions } from './version.ts'

/** A package whose tarball goes into a registry. */
export interface RegistryPackage {
  name: string
  version: string
  /** As in a package-lock: `sha512-…`. */
  integrity: string
  /** Absolute path of the tarball. */
  source: string
}

/** Stands in the addresses of tarballs for the host under which the registry is reached; the web server replaces it. */
export const hostMark = '@host@'

type Manifest = Readonly<Record<string, unknown>>

/** What npm reads of a version before it has its tarball ("Version" in docs/responses/package-metadata.md of npm's registry). */
const keptFields = [
  'description',
  'license',
  'bin',
  'directories',
  'dependencies',
  'optionalDependencies',
  'peerDependencies',
  'peerDependenciesMeta',
  'bundleDependencies',
  'bundledDependencies',
  'engines',
  'os',
  'cpu',
  'libc',
] as const

const readManifest = async ({ name, version, source }: RegistryPackage): Promise<Manifest> => {
  let text: Buffer | undefined
  await list({
    file: source,
    onReadEntry: (entry) => {
      if (!/^[^/]+\/package\.json$/.test(entry.path)) return
      collectContent(entry, (bytes) => {
        text = bytes
      })
    },
  })
  try {
    return JSON.parse(String(text).replace(/^\uFEFF/, '')) as Manifest
  } catch (cause) {
    throw new PibakeError('DOWNLOAD_CORRUPT', `The npm package \`${name} ${version}\` has no readable package.json.`, {
      hint: 'Take another version of it.',
      cause,
    })
  }
}

const tarballName = ({ name, version }: RegistryPackage): string => `${basename(name)}-${version}.tgz`

const describeVersion = async (item: RegistryPackage, path: string): Promise<Manifest> => {
  const { name, version, integrity } = item
  const manifest = await readManifest(item)
  const kept = keptFields.flatMap((field) => (manifest[field] === undefined ? [] : [[field, manifest[field]] as const]))
  const tarball = `http://${hostMark}/${path}/${name}/-/${tarballName(item)}`
  return { name, version, ...Object.fromEntries(kept), dist: { tarball, integrity } }
}

/** Semantic versions in Debian's order: a pre-release comes before its release. */
const orderOf = (version: string): string => version.replace('-', '~').replaceAll('-', '.')

/** Packages by name, each version once, in the order of their versions. */
const groupVersions = (packages: readonly RegistryPackage[]): Map<string, RegistryPackage[]> => {
  const byVersion = new Map(packages.map((item) => [`${item.name}@${item.version}`, item]))
  const byName = Map.groupBy(byVersion.values(), ({ name }) => name)
  for (const items of byName.values()) items.sort((a, b) => compareVersions(orderOf(a.version), orderOf(b.version)))
  return byName
}

const renderPackument = async (name: string, items: readonly RegistryPackage[], path: string): Promise<string> => {
  const versions: Record<string, Manifest> = {}
  for (const item of items) versions[item.version] = await describeVersion(item, path)
  const released = items.filter(({ version }) => !version.includes('-'))
  const latest = (released.at(-1) ?? items.at(-1))?.version
  return `${JSON.stringify({ name, 'dist-tags': { latest }, versions })}\n`
}

/** One name of a registry, below whose address its files are. */
export interface RegistryName {
  name: string
  /** Each with its path. */
  tarballs: { path: string; item: RegistryPackage }[]
  /**
   * What npm asks for at `<name>`: its versions, and where their tarballs are, with `hostMark` in the addresses. Throws
   * `DOWNLOAD_CORRUPT` for a broken tarball.
   */
  packument: () => Promise<string>
}

/** What a registry of these packages has to answer that is served below `/<path>/`. A package may be named several times. */
export const layOutRegistry = (packages: readonly RegistryPackage[], { path }: { path: string }): RegistryName[] =>
  [...groupVersions(packages)].map(([name, items]) => ({
    name,
    tarballs: items.map((item) => ({ path: `${name}/-/${tarballName(item)}`, item })),
    packument: () => renderPackument(name, items, path),
  }))

/**
 * Write a registry of static files that npm installs from: for each package `<name>/packument.json`, which lists its
 * versions, and the tarballs as links at `<name>/-/`. It is served below `/<path>/`, the packument at `/<path>/<name>`
 * with `hostMark` replaced. Throws `DOWNLOAD_CORRUPT` for a broken tarball.
 */
export const writeNpmRegistry = async (
  folder: string,
  packages: readonly RegistryPackage[],
  { path }: { path: string },
): Promise<void> => {
  for (const { name, tarballs, packument } of layOutRegistry(packages, { path })) {
    await mkdir(join(folder, name, '-'), { recursive: true })
    for (const { path: below, item } of tarballs) await link(item.source, join(folder, below))
    await writeFile(join(folder, name, 'packument.json'), await packument())
  }
}
