import { parseStanzas } from '../deb/deb822.ts'
import { parseRelations } from '../deb/relation.ts'
import { readText } from './content.ts'
import type { Volume } from './volume.ts'

/** A Debian package that is installed in an image. */
export interface InstalledPackage {
  name: string
  version: string
  architecture: string
  /** First line of its description. */
  summary: string
  isEssential: boolean
  /** For each of its needs the names that would do. */
  needs: readonly (readonly string[])[]
  /** Names besides its own that it answers to. */
  provides: readonly string[]
  /** What it brought, as its list says: folders too, and paths through links such as /lib. */
  paths: readonly string[]
}

const statusPath = '/var/lib/dpkg/status'
const fields = new Set([
  'Package',
  'Version',
  'Status',
  'Architecture',
  'Description',
  'Essential',
  'Depends',
  'Pre-Depends',
  'Provides',
])

const namesOf = (relations: string | undefined): string[][] =>
  parseRelations(relations).map((group) => group.map(({ name }) => name))

/** The packages that dpkg has installed in a root file system, by name; none where there is no dpkg. */
export const readDpkg = (volume: Volume): InstalledPackage[] => {
  const packages: InstalledPackage[] = []
  for (const stanza of parseStanzas(readText(volume, statusPath) ?? '', { fields })) {
    const { Package: name, Version: version, Status: status, Architecture: architecture = '', Description } = stanza
    // `hold ok installed` is installed as well.
    if (!name || !version || !status?.endsWith(' ok installed')) continue
    const info = `/var/lib/dpkg/info/${name}`
    const list = readText(volume, `${info}.list`) ?? readText(volume, `${info}:${architecture}.list`) ?? ''
    packages.push({
      name,
      version,
      architecture,
      summary: Description?.split('\n', 1)[0] ?? '',
      isEssential: stanza.Essential === 'yes',
      needs: [...namesOf(stanza['Pre-Depends']), ...namesOf(stanza.Depends)],
      provides: namesOf(stanza.Provides).flat(),
      paths: list.split('\n').filter((path) => path !== '' && path !== '/.'),
    })
  }
  return packages.sort((a, b) => (a.name < b.name ? -1 : 1))
}
