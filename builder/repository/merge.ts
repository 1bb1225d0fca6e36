import { PibakeError } from '../core/error.ts'
import { poolPath } from '../deb/release.ts'
import type { IncomingDeb } from './find-debs.ts'
import type { RecordedDeb, RepositoryRecord } from './record.ts'

/** The one component of such a repository. */
export const component = 'main'

/** What packages of the stages of this checkout are called as to who brought them. */
export const ownName = 'stages of this checkout'

/** And those of Debian that a lock names. */
export const debianName = 'Debian'

/** What becomes of a repository. */
export interface Merge {
  record: RepositoryRecord
  /** Files to put into its pool. */
  added: { file: string; deb: IncomingDeb }[]
  /** Own packages that give way to another build of the same version. */
  replaced: RecordedDeb[]
  /** Names that several have brought, in what versions. */
  shared: { name: string; brought: { from: string; versions: string[] }[] }[]
}

const keyOf = ({ name, version, architecture }: Pick<RecordedDeb, 'name' | 'version' | 'architecture'>): string =>
  `${name} ${version} (${architecture})`

const toRecorded = (deb: IncomingDeb): RecordedDeb => {
  const { Package = '', Version = '', Architecture = '', Maintainer } = deb.stanza
  return {
    name: Package,
    version: Version,
    architecture: Architecture,
    file: poolPath(component, deb.stanza),
    sizeBytes: deb.sizeBytes,
    sha256: deb.sha256,
    from: deb.from,
    ...(Maintainer === undefined ? {} : { maintainer: Maintainer.split('\n', 1)[0] }),
  }
}

const findShared = (packages: readonly RecordedDeb[]): Merge['shared'] =>
  [...Map.groupBy(packages, ({ name }) => name)].flatMap(([name, debs]) => {
    const brought = [...Map.groupBy(debs, ({ from }) => from)].map(([from, items]) => ({
      from,
      versions: [...new Set(items.map(({ version }) => version))],
    }))
    return brought.length > 1 ? [{ name, brought }] : []
  })

/**
 * Put packages into a repository. The same file brought again changes nothing. Of one name, version and architecture
 * there is one file: another one is refused, for no computer could tell them apart; only what this checkout has built
 * itself gives way to what it builds now. Throws `CONFIG_INVALID`, naming every such pair and who brought it.
 */
export const mergeDebs = (
  record: RepositoryRecord,
  incoming: readonly IncomingDeb[],
  options: { architectures: readonly string[]; timeSeconds: number },
): Merge => {
  const packages = new Map(record.packages.map((deb) => [keyOf(deb), deb]))
  const added = new Map<string, Merge['added'][number]>()
  const replaced: RecordedDeb[] = []
  const conflicts: string[] = []
  for (const deb of incoming) {
    const item = toRecorded(deb)
    const key = keyOf(item)
    const there = packages.get(key)
    if (there?.sha256 === item.sha256) continue
    if (there && !(there.from === ownName && item.from === ownName)) {
      conflicts.push(`${key}: from \`${there.from}\` ${there.sha256}, from \`${item.from}\` ${item.sha256}`)
      continue
    }
    if (there) replaced.push(there)
    packages.set(key, item)
    added.set(key, { file: item.file, deb })
  }
  if (conflicts.length > 0) {
    throw new PibakeError('CONFIG_INVALID', `${conflicts.length} packages are brought in two different files.`, {
      hint: 'Agree on one of them: leave the other out, or let its maker give it another version. Nothing was written.',
      details: conflicts,
    })
  }
  const all = [...packages.values()]
  const own = all.map(({ architecture }) => architecture).filter((architecture) => architecture !== 'all')
  const architectures = new Set([...record.architectures, ...options.architectures, ...own])
  const builtSeconds = incoming.map((deb) => deb.builtSeconds)
  return {
    record: {
      ...record,
      // An index is of one architecture, so packages for all of them alone need one: that of a Pi.
      architectures: architectures.size > 0 ? [...architectures].sort() : ['arm64'],
      timeSeconds: Math.max(record.timeSeconds, options.timeSeconds, ...builtSeconds),
      packages: all,
    },
    added: [...added.values()],
    replaced,
    shared: findShared(all),
  }
}
