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

/**
 * Write a registry of static files that npm installs from: for each package `<name>/packument.json`, which lists its
 * versions, and the tarballs as links at `<name>/-/`. It is served below `/<path>/`, the packument at `/<path>/<name>`
 * with `hostMark` replaced. A package may be named several times. Throws `DOWNLOAD_CORRUPT` for a broken tarball.
 */
export const writeNpmRegistry = async (
  folder: string,
  packages: readonly RegistryPackage[],
  { path }: { path: string },
): Promise<void> => {
  const byVersion = new Map(packages.map((item) => [`${item.name}@${item.version}`, item]))
  const byName = Map.groupBy(byVersion.values(), ({ name }) => name)
  for (const [name, found] of byName) {
    const items = found.toSorted((a, b) => compareVersions(orderOf(a.version), orderOf(b.version)))
    await mkdir(join(folder, name, '-'), { recursive: true })
    const versions: Record<string, Manifest> = {}
    for (const item of items) {
      await link(item.source, join(folder, name, '-', tarballName(item)))
      versions[item.version] = await describeVersion(item, path)
    }
    const released = items.filter(({ version }) => !version.includes('-'))
    const latest = (released.at(-1) ?? items.at(-1))?.version
    const packument = { name, 'dist-tags': { latest }, versions }
    await writeFile(join(folder, name, 'packument.json'), `${JSON.stringify(packument)}\n`)
  }
}
