import { asSha256, isSha256, type Sha256 } from '../core/digest.ts'
import { parseStanzas, type Stanza } from '../deb/deb822.ts'
import { parseRelations, type Relation } from '../deb/relation.ts'
import { compareVersions, versionSatisfies } from '../deb/version.ts'

/** One package of a Packages index. */
export interface IndexedPackage {
  name: string
  version: string
  architecture: string
  archive: string
  /** The suite that it comes from, where only chosen packages are taken of that. */
  suite?: string
  /** Its `Filename:`, a path below the archive's address. */
  path: string
  sizeBytes: number
  sha256: Sha256
  isEssential: boolean
  priority: string
  /** The fields that dependencies are made of, as the index spells them. */
  stanza: Stanza
}

/** All packages of some indexes, by name and by what they provide. */
export interface PackageTable {
  /** Newest version first. */
  byName: ReadonlyMap<string, readonly IndexedPackage[]>
  providers: ReadonlyMap<string, readonly { by: IndexedPackage; version: string | undefined }[]>
}

const keptFields: ReadonlySet<string> = new Set([
  'Package',
  'Version',
  'Architecture',
  'Multi-Arch',
  'Essential',
  'Important',
  'Priority',
  'Section',
  'Source',
  'Installed-Size',
  'Maintainer',
  'Description',
  'Depends',
  'Pre-Depends',
  'Recommends',
  'Provides',
  'Conflicts',
  'Breaks',
  'Replaces',
  'Filename',
  'Size',
  'SHA256',
])

const toPackage = (stanza: Stanza, { archive, suite }: IndexText): IndexedPackage | undefined => {
  const { Package: name, Version: version, Architecture: architecture, Filename: path, Size, SHA256 } = stanza
  if (name === undefined || version === undefined || architecture === undefined || path === undefined) return undefined
  if (SHA256 === undefined || !isSha256(SHA256)) return undefined
  return {
    name,
    version,
    architecture,
    archive,
    ...(suite === undefined ? {} : { suite }),
    path,
    sizeBytes: Number(Size),
    sha256: asSha256(SHA256),
    isEssential: stanza.Essential === 'yes',
    priority: stanza.Priority ?? 'optional',
    stanza,
  }
}

/** A Packages index; `suite` where only chosen packages are taken of it. */
export interface IndexText {
  archive: string
  suite?: string
  text: string
}

/** Read Packages indexes into one table. Of the same version in several, the first stands for it. */
export const buildPackageTable = (indexes: Iterable<IndexText>): PackageTable => {
  const byName = new Map<string, IndexedPackage[]>()
  const providers = new Map<string, { by: IndexedPackage; version: string | undefined }[]>()
  for (const index of indexes) {
    for (const stanza of parseStanzas(index.text, { fields: keptFields })) {
      const item = toPackage(stanza, index)
      if (!item) continue
      push(byName, item.name, item)
      if (stanza.Provides === undefined) continue
      for (const relation of parseRelations(stanza.Provides).flat()) {
        push(providers, relation.name, { by: item, version: relation.version })
      }
    }
  }
  for (const versions of byName.values()) versions.sort((a, b) => compareVersions(b.version, a.version))
  return { byName, providers }
}

const push = <K, V>(map: Map<K, V[]>, key: K, value: V): void => {
  const list = map.get(key)
  if (list) list.push(value)
  else map.set(key, [value])
}

/** Whether `version` (undefined: an unversioned Provides) answers the relation. */
export const answersRelation = (relation: Relation, version: string | undefined): boolean => {
  if (relation.operator === undefined || relation.version === undefined) return true
  return version !== undefined && versionSatisfies(version, relation.operator, relation.version)
}

/** The newest packages that answer a relation: the package of that name first, then those that provide it. */
export const candidatesFor = (table: PackageTable, relation: Relation): IndexedPackage[] => {
  const real = table.byName.get(relation.name)?.find(({ version }) => answersRelation(relation, version))
  const provided = (table.providers.get(relation.name) ?? [])
    .filter(({ by, version }) => table.byName.get(by.name)?.[0] === by && answersRelation(relation, version))
    .map(({ by }) => by)
  return real ? [real, ...provided] : provided
}
