import { PibakeError } from '../core/error.ts'
import { formatRelation, parseRelations, type Relation } from '../deb/relation.ts'
import { answersRelation, candidatesFor, type IndexedPackage, type PackageTable } from './package-table.ts'

interface Chosen {
  item: IndexedPackage
  /** The package that asked for it; undefined for a root. */
  because: Chosen | undefined
}

/**
 * The closure of `roots` over Depends and Pre-Depends, sorted by name: good enough for a tools tree, which nothing is
 * configured in, and needs no apt. Of alternatives the first that exists is taken, in the newest version; Recommends
 * and Conflicts are ignored. A root that ends in `*` means every package whose name goes on with digits and dots
 * (`libperl5.*`); one that ends in `?` is left out where the suite lacks it. Throws `RESOLVE_FAILED` naming the chain that leads to what is missing.
 */
export const walkDependencies = (table: PackageTable, roots: readonly string[]): IndexedPackage[] => {
  const chosen = new Map<string, Chosen>()
  const provided = new Map<string, (string | undefined)[]>()
  const queue: Chosen[] = []

  const choose = (item: IndexedPackage, because: Chosen | undefined): void => {
    if (chosen.has(item.name)) return
    const entry = { item, because }
    chosen.set(item.name, entry)
    queue.push(entry)
    for (const { name, version } of parseRelations(item.stanza.Provides).flat()) {
      provided.set(name, [...(provided.get(name) ?? []), version])
    }
  }
  const isMet = (relation: Relation): boolean => {
    const version = chosen.get(relation.name)?.item.version
    if (version !== undefined && answersRelation(relation, version)) return true
    return provided.get(relation.name)?.some((offer) => answersRelation(relation, offer)) ?? false
  }
  const meet = (alternatives: readonly Relation[], because: Chosen | undefined): void => {
    if (alternatives.some(isMet)) return
    const found = alternatives.flatMap((relation) => candidatesFor(table, relation))[0]
    if (!found || chosen.has(found.name)) throw unresolved(alternatives, because)
    choose(found, because)
  }

  for (const root of roots.flatMap((name) => expandRoot(table, name))) meet([{ name: root }], undefined)
  for (let entry = queue.shift(); entry; entry = queue.shift()) {
    const { stanza } = entry.item
    for (const group of parseRelations(stanza['Pre-Depends'])) meet(group, entry)
    for (const group of parseRelations(stanza.Depends)) meet(group, entry)
  }
  return [...chosen.values()].map(({ item }) => item).sort((a, b) => (a.name < b.name ? -1 : 1))
}

const expandRoot = (table: PackageTable, root: string): string[] => {
  if (root.endsWith('?')) return table.byName.has(root.slice(0, -1)) ? [root.slice(0, -1)] : []
  if (!root.endsWith('*')) return [root]
  const prefix = root.slice(0, -1)
  return [...table.byName.keys()].filter(
    (name) => name.startsWith(prefix) && /^[\d.]+$/.test(name.slice(prefix.length)),
  )
}

const unresolved = (alternatives: readonly Relation[], because: Chosen | undefined): PibakeError => {
  const wanted = alternatives.map(formatRelation).join(' | ')
  const chain: string[] = []
  for (let entry = because; entry; entry = entry.because) chain.unshift(entry.item.name)
  const message =
    chain.length === 0
      ? `The mirror has no package \`${wanted}\`.`
      : `\`${chain.at(-1)}\` needs \`${wanted}\`, which the mirror does not have.`
  return new PibakeError('RESOLVE_FAILED', message, {
    hint: 'Check the name; if the mirror is being updated, try again in an hour or name another one with `--mirror`.',
    details: chain.length === 0 ? [] : [[...chain, wanted].join(' -> ')],
  })
}
