import type { InstalledPackage } from './dpkg.ts'

/** What a package came with where no stage needs it. */
export const baseName = 'base'

/** The Debian package that carries a stage. */
const packageOf = (stage: string): string => `pibake-${stage}`

type Needs = Pick<InstalledPackage, 'name' | 'needs' | 'provides' | 'isEssential'>

/** By name, and by the names that packages provide where no package has them. */
const indexPackages = (packages: readonly Needs[]): Map<string, Needs> => {
  const index = new Map<string, Needs>()
  for (const item of packages) for (const name of item.provides) if (!index.has(name)) index.set(name, item)
  for (const item of packages) index.set(item.name, item)
  return index
}

/** All that `roots` need, themselves included, except what is in `known` already. */
const closure = (
  roots: readonly string[],
  index: ReadonlyMap<string, Needs>,
  known: ReadonlyMap<string, string>,
): Set<string> => {
  const found = new Set<string>()
  const pending = [...roots]
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const item = index.get(name)
    if (!item || known.has(item.name) || found.has(item.name)) continue
    found.add(item.name)
    // Of alternatives the first that is there, as apt would have taken it.
    for (const group of item.needs) pending.push(...group.filter((option) => index.has(option)).slice(0, 1))
  }
  return found
}

/** Stages so that each comes after those it needs, otherwise by name; a circle is entered at its first name. */
const sortStages = (stages: readonly string[], index: ReadonlyMap<string, Needs>): string[] => {
  const byPackage = new Map(stages.toSorted().map((stage) => [packageOf(stage), stage]))
  const sorted: string[] = []
  const visit = (name: string): void => {
    const stage = byPackage.get(name)
    if (stage === undefined) return
    byPackage.delete(name)
    for (const needed of index.get(name)?.needs.flat() ?? []) visit(needed)
    sorted.push(stage)
  }
  for (const name of [...byPackage.keys()]) visit(name)
  return sorted
}

/**
 * Which stage brought each package, told from what packages need: `base` has what `baseRoots` and the essential packages
 * need and all that no stage needs; each stage has what it needs beyond that. What two stages need is the first one's.
 */
export const assignStages = (
  packages: readonly Needs[],
  { stages, baseRoots }: { stages: readonly string[]; baseRoots: readonly string[] },
): Map<string, string> => {
  const index = indexPackages(packages)
  const origins = new Map<string, string>()
  const essential = packages.filter(({ isEssential }) => isEssential).map(({ name }) => name)
  for (const name of closure([...essential, ...baseRoots], index, origins)) origins.set(name, baseName)
  for (const stage of sortStages(stages, index)) {
    for (const name of closure([packageOf(stage)], index, origins)) origins.set(name, stage)
  }
  for (const { name } of packages) if (!origins.has(name)) origins.set(name, baseName)
  return origins
}
