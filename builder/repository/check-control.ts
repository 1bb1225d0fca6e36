import { PibakeError } from '../core/error.ts'
import type { Stanza } from '../deb/deb822.ts'
import { parseRelations } from '../deb/relation.ts'

/** Names as Debian Policy wants them (5.6.1, 5.6.12, 5.6.8). */
const namePattern = /^[a-z0-9][a-z0-9+.-]{1,127}$/
const versionPattern = /^(?:\d{1,9}:)?\d[A-Za-z0-9.+~-]{0,127}$/
const architecturePattern = /^[a-z][a-z0-9-]{0,31}$/
const fieldPattern = /^[A-Za-z][A-Za-z0-9-]*$/

/** Fields that a package must have for dpkg to take it. */
const needed = ['Package', 'Version', 'Architecture', 'Maintainer', 'Description'] as const

const relationFields = [
  'Pre-Depends',
  'Depends',
  'Recommends',
  'Suggests',
  'Enhances',
  'Breaks',
  'Conflicts',
  'Replaces',
  'Provides',
] as const

/** What an index says of a file: whoever makes the index says it, never the package. */
const indexFields = new Set(['filename', 'size', 'md5sum', 'sha1', 'sha256', 'sha512', 'description-md5'])

/** What is wrong with the control data of a package, a line each; empty when it may stand in an index. */
export const controlFaults = (stanza: Stanza): string[] => {
  const faults: string[] = []
  for (const field of needed) if (!stanza[field]?.trim()) faults.push(`it has no \`${field}\``)
  const { Package = '', Version = '', Architecture = '' } = stanza
  if (Package !== '' && !namePattern.test(Package)) faults.push('`Package` is no name of a package')
  if (Version !== '' && !versionPattern.test(Version)) faults.push('`Version` is no version')
  if (Architecture !== '' && !architecturePattern.test(Architecture)) faults.push('`Architecture` is no architecture')
  const seen = new Set<string>()
  for (const field of Object.keys(stanza)) {
    const lower = field.toLowerCase()
    if (!fieldPattern.test(field)) faults.push('a field has an impossible name')
    else if (seen.has(lower)) faults.push(`\`${field}\` stands in it twice`)
    else if (indexFields.has(lower)) faults.push(`\`${field}\` is for an index to say`)
    seen.add(lower)
  }
  for (const field of relationFields) {
    try {
      parseRelations(stanza[field])
    } catch {
      faults.push(`\`${field}\` names no packages`)
    }
  }
  if (stanza.Essential === 'yes') faults.push('it says that no system can be without it (`Essential`)')
  return faults
}

/** Throw `CONFIG_INVALID`, with all that is wrong, unless the control data of `path` may stand in an index. */
export const assertControl = (path: string, stanza: Stanza): void => {
  const faults = controlFaults(stanza)
  if (faults.length === 0) return
  throw new PibakeError('CONFIG_INVALID', `The package \`${path}\` cannot be taken into a repository.`, {
    hint: 'Ask whoever made it for a package that follows Debian Policy; `dpkg-deb --info` shows what it says.',
    details: faults,
  })
}
