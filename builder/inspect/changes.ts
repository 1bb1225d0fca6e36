import type { ImageSummary } from './summary.ts'

/** A package or stage whose versions differ between two images. */
export interface VersionChange {
  name: string
  /** Versions; an npm package can have several. Undefined where it is not there. */
  before: string | undefined
  after: string | undefined
  /** What it takes, 0 where it is not there; undefined where that is not known. */
  sizeBefore: number | undefined
  sizeAfter: number | undefined
}

/** What changed from one image to another, as far as their summaries tell. */
export interface ImageChanges {
  stages: VersionChange[]
  packages: VersionChange[]
  npm: VersionChange[]
  /** Used space of the root file system. */
  usedBefore: number
  usedAfter: number
}

interface Versioned {
  name: string
  version: string
  sizeBytes?: number
}

interface Held {
  versions: Set<string>
  sizeBytes: number | undefined
}

const collect = (items: readonly Versioned[]): Map<string, Held> => {
  const held = new Map<string, Held>()
  for (const { name, version, sizeBytes } of items) {
    const item = held.get(name) ?? { versions: new Set(), sizeBytes: undefined }
    item.versions.add(version)
    if (sizeBytes !== undefined) item.sizeBytes = (item.sizeBytes ?? 0) + sizeBytes
    held.set(name, item)
  }
  return held
}

const compareVersioned = (before: readonly Versioned[], after: readonly Versioned[]): VersionChange[] => {
  const [left, right] = [collect(before), collect(after)]
  const text = (held: Held | undefined): string | undefined => held && [...held.versions].sort().join(', ')
  return [...new Set([...left.keys(), ...right.keys()])]
    .sort()
    .map((name) => {
      const [a, b] = [left.get(name), right.get(name)]
      const sizeOf = (held: Held | undefined, other: Held | undefined): number | undefined =>
        held ? held.sizeBytes : other?.sizeBytes === undefined ? undefined : 0
      return { name, before: text(a), after: text(b), sizeBefore: sizeOf(a, b), sizeAfter: sizeOf(b, a) }
    })
    .filter((change) => change.before !== change.after)
}

const stagesOf = ({ stages }: ImageSummary): Versioned[] =>
  stages.flatMap(({ name, version, sizeBytes }) => (version === undefined ? [] : [{ name, version, sizeBytes }]))

const usedOf = ({ partitions }: ImageSummary): number => partitions.reduce((sum, { usedBytes }) => sum + usedBytes, 0)

/** Stages and packages that were added, removed or have another version, each sorted by name. */
export const compareSummaries = (before: ImageSummary, after: ImageSummary): ImageChanges => ({
  stages: compareVersioned(stagesOf(before), stagesOf(after)),
  packages: compareVersioned(before.packages, after.packages),
  npm: compareVersioned(before.npm, after.npm),
  usedBefore: usedOf(before),
  usedAfter: usedOf(after),
})
