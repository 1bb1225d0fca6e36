import type { Stanza } from './deb822.ts'
import { parseRelations } from './relation.ts'

/** Names that a package answers to: its own and those it provides. */
const namesOf = (stanza: Stanza): string[] => [
  stanza.Package ?? '',
  ...parseRelations(stanza.Provides)
    .flat()
    .map(({ name }) => name),
]

/**
 * The packages marked `Essential: yes` and all that they depend on, out of a set that is already resolved: versions are
 * taken as right, an alternative is the first one that is there.
 */
export const essentialClosure = (stanzas: readonly Stanza[]): Stanza[] => {
  const byName = new Map<string, Stanza>()
  for (const stanza of stanzas) for (const name of namesOf(stanza)) if (!byName.has(name)) byName.set(name, stanza)
  for (const stanza of stanzas) if (stanza.Package) byName.set(stanza.Package, stanza)
  const chosen = new Set<Stanza>()
  const queue = stanzas.filter((stanza) => stanza.Essential === 'yes')
  for (let stanza = queue.pop(); stanza; stanza = queue.pop()) {
    if (chosen.has(stanza)) continue
    chosen.add(stanza)
    for (const group of [...parseRelations(stanza['Pre-Depends']), ...parseRelations(stanza.Depends)]) {
      const found = group.map(({ name }) => byName.get(name)).find((candidate) => candidate !== undefined)
      if (found) queue.push(found)
    }
  }
  return stanzas.filter((stanza) => chosen.has(stanza))
}
