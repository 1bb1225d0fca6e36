import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hashBytes, type Sha256 } from '../core/digest.ts'
import { formatStanzas, type Stanza } from '../deb/deb822.ts'
import type { ResolveStep } from '../lock/request.ts'
import type { SuiteIndex } from './indexes.ts'
import { readArmouredKeys } from './release.ts'

/** Control paragraphs that stand for the packages pibake builds of the stages; only their dependencies count. */
export const stageStanzas = (steps: readonly ResolveStep[]): Stanza[] =>
  steps.flatMap(({ stagePackage }) => {
    if (!stagePackage) return []
    const { name, depends } = stagePackage
    const stanza = { Package: name, Version: '0', Architecture: 'all', Maintainer: 'pibake', Description: 'stage' }
    return [depends.length === 0 ? stanza : { ...stanza, Depends: depends.join(', ') }]
  })

const unique = (items: readonly string[]): string[] => [...new Set(items)]

const folders = [
  'etc/apt.conf.d',
  'etc/preferences.d',
  'etc/sources.list.d',
  'state/lists/partial',
  'cache/archives/partial',
  'log',
  'stages',
] as const

/**
 * Lay out below `work` what apt reads: the signed indexes as a mirror in files, the stages as a second one, an empty
 * dpkg status, and `apt.conf`, which APT_CONFIG has to name.
 */
export const layOutApt = async (
  work: string,
  options: {
    indexes: readonly SuiteIndex[]
    stages: readonly Stanza[]
    architecture: string
    foreignArchitectures?: readonly string[]
    blobPath: (sha256: Sha256) => string
  },
): Promise<void> => {
  for (const folder of folders) await mkdir(join(work, folder), { recursive: true })
  const sources: string[] = []
  for (const index of options.indexes) {
    const { archive } = index.release
    const mirror = join(work, 'archives', archive)
    await layOutIndex(join(mirror, 'dists', index.release.name), index, options.blobPath)
    const components = unique(index.lists.map(({ component }) => component)).join(' ')
    const architectures = unique(index.lists.map(({ architecture }) => architecture)).join(',')
    // apt verifies Debian's signatures once more. Keys of others may be older than what it still puts up with.
    const trust =
      archive === 'main' || archive === 'security' ? `signed-by=${join(work, `${archive}.asc`)}` : 'trusted=yes'
    if (components !== '')
      sources.push(`deb [arch=${architectures} ${trust}] file:${mirror} ${index.release.name} ${components}`)
  }
  for (const archive of ['main', 'security'] as const) {
    await writeFile(join(work, `${archive}.asc`), (await readArmouredKeys(archive)).join('\n'))
  }
  // apt wants to know of a file for each package; nothing is ever read of it.
  const packages = options.stages.map((stanza) => ({
    ...stanza,
    Filename: `./${stanza.Package}.deb`,
    Size: '1',
    SHA256: hashBytes(''),
  }))
  await writeFile(join(work, 'stages', 'Packages'), formatStanzas(packages))
  sources.push(`deb [trusted=yes] file:${join(work, 'stages')} ./`)
  await writeFile(join(work, 'etc', 'sources.list'), `${sources.join('\n')}\n`)
  await writeFile(join(work, 'etc', 'preferences'), pins(options.indexes))
  await writeFile(join(work, 'status'), '')
  await writeFile(
    join(work, 'apt.conf'),
    aptSettings(work, [options.architecture, ...(options.foreignArchitectures ?? [])]),
  )
}

/**
 * apt_preferences(5): of an index of which only some packages are wanted, a negative priority bars the rest, and one
 * above the default of 500 takes those rather than the suite's own.
 */
export const pins = (indexes: readonly SuiteIndex[]): string =>
  formatStanzas(
    indexes.flatMap(({ release, only }) => {
      const pin = { Pin: `release n=${release.codename}` }
      if (!only) return []
      return [
        { Package: '*', ...pin, 'Pin-Priority': '-1' },
        { Package: [...only].sort().join(' '), ...pin, 'Pin-Priority': '600' },
      ]
    }),
  )

const layOutIndex = async (
  folder: string,
  { inRelease, lists }: SuiteIndex,
  blobPath: (sha256: Sha256) => string,
): Promise<void> => {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'InRelease'), inRelease)
  for (const { path, sha256 } of lists) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await copyFile(blobPath(sha256), join(folder, path))
  }
}

/** apt.conf(5). Times of validity have been held against the time of fetching already, with the same files. */
const aptSettings = (work: string, architectures: readonly string[]): string =>
  `${Object.entries({
    'Dir::Etc': join(work, 'etc'),
    'Dir::State': join(work, 'state'),
    'Dir::State::status': join(work, 'status'),
    'Dir::Cache': join(work, 'cache'),
    'Dir::Log': join(work, 'log'),
    'APT::Architecture': architectures[0],
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::Check-Valid-Until': 'false',
    'Acquire::Check-Date': 'false',
    'Debug::NoLocking': 'true',
  })
    .map(([name, value]) => `${name} "${value}";`)
    .join('\n')}\nAPT::Architectures { ${architectures.map((name) => `"${name}";`).join(' ')} };\n`
