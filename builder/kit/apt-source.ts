import { describeDebs } from '../bake/kitchen.ts'
import { stagePackage } from '../bake/stage-package.ts'
import { projectBlobs } from '../cache/project-blobs.ts'
import type { Sha256 } from '../core/digest.ts'
import type { Emit } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import type { Stanza } from '../deb/deb822.ts'
import { renderIndex } from '../deb/release.ts'
import { renderRelease } from '../deb/release-file.ts'
import { fileNameOf } from '../deb/repository.ts'
import type { Tools } from '../host/sandbox.ts'
import { makeScratch } from '../host/scratch.ts'
import { allDebs } from '../lock/debs.ts'
import type { LockedDeb } from '../lock/schema.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import { componentOf, debPath, type KitContent, type Locked } from './content.ts'
import type { SourceFile } from './source-file.ts'

/** The component of the packages that pibake builds from stages. */
const ownComponent = 'pibake'

/** Packages of a suite by architecture and component, in the order in which they were found. */
type Suite = Map<string, Map<string, Stanza[]>>

/** What an apt source consists of, besides the packages that were fetched. */
export interface AptSource {
  /** Packages of stages. */
  packages: SourceFile[]
  /** The lists of packages, by their path on the stick. */
  indexes: { path: string; bytes: Buffer }[]
  /** What vouches for them, still to be signed, by the path that it then has. */
  releases: { path: string; text: string }[]
}

const listFor = (suite: Suite, architecture: string, component: string): Stanza[] => {
  const components = suite.get(architecture) ?? new Map<string, Stanza[]>()
  suite.set(architecture, components)
  const list = components.get(component) ?? []
  components.set(component, list)
  return list
}

const isSame = (a: Stanza, b: Stanza): boolean =>
  a.Package === b.Package && a.Version === b.Version && a.Architecture === b.Architecture

/** A version is one file: of two packages of one name and version, the one that came first is listed. */
const add = (list: Stanza[], stanza: Stanza): void => {
  if (!list.some((other) => isSame(other, stanza))) list.push(stanza)
}

const renderSuite = (codename: string, suite: Suite, timeSeconds: number): Omit<AptSource, 'packages'> => {
  const folder = `dists/${codename}`
  const components = [...new Set([...suite.values()].flatMap((lists) => [...lists.keys()]))]
  const files = [...suite].flatMap(([architecture, lists]) =>
    components.flatMap((component) => renderIndex(component, architecture, lists.get(component) ?? [])),
  )
  const release = renderRelease({
    suite: codename,
    codename,
    timeSeconds,
    // FAT has no links, and nothing changes under the reader of a stick.
    byHash: false,
    architectures: [...suite.keys()],
    components,
    indexes: files,
  })
  // apt looks for no list that is not named in its plain form too, though only the packed one is there.
  const indexes = files
    .filter(({ path }) => path.endsWith('.gz'))
    .map(({ path, bytes }) => ({ path: `${folder}/${path}`, bytes }))
  return { indexes, releases: [{ path: `${folder}/InRelease`, text: release }] }
}

/**
 * The apt source of a kit: what its locks name, where it lies on the stick, and the packages of all stages, which are
 * built when they are not in the cache. A stage that two profiles set up differently is the first one's.
 */
export const buildAptSource = async (
  { locked, tools: toolsLocks, files }: KitContent,
  options: { project: Project; tools: Tools; emit: Emit; signal: AbortSignal },
): Promise<AptSource> => {
  const { project } = options
  const blobs = projectBlobs(project)
  await using scratch = await makeScratch(project.work)
  const kitchen = { ...options, blobs, scratch: scratch.path }
  const paths = new Map(files.map(({ sha256, path }) => [sha256, path]))
  const suites = new Map<string, Suite>()
  const suiteOf = (name: string): Suite => {
    const suite = suites.get(name) ?? new Map<string, Map<string, Stanza[]>>()
    suites.set(name, suite)
    return suite
  }
  const addDebs = async (suite: Suite, architecture: string, debs: readonly LockedDeb[]): Promise<void> => {
    const described = await describeDebs(
      { ...kitchen, lock: { steps: [{ name: 'all', debs: [...debs] }], extras: [] } },
      debs,
    )
    for (const [index, { stanza }] of described.entries()) {
      const deb = debs[index]
      if (!deb) throw new Error('a stanza without its package')
      const Filename = paths.get(deb.sha256) ?? debPath(deb)
      add(listFor(suite, architecture, componentOf(deb)), { ...stanza, Filename })
    }
  }
  const own = new Map<string, { stanza: Stanza; file: SourceFile }>()
  const ownPackage = async (kit: Locked, entry: ResolvedProfile['stages'][number]): Promise<Stanza> => {
    const timeSeconds = Math.floor(Date.parse(kit.lock.time) / 1000)
    const { source, stanza } = await stagePackage({ ...kitchen, ...kit, timeSeconds }, entry)
    const { Package = '', Version = '', Size, SHA256 } = stanza
    const path = `pool/${ownComponent}/${kit.profile.suite}/${Package}/${fileNameOf(stanza)}`
    const first = own.get(path)
    if (first) return first.stanza
    const file = { path, source, sizeBytes: Number(Size), sha256: SHA256 as Sha256, label: `${Package} ${Version}` }
    own.set(path, { stanza: { ...stanza, Filename: path }, file })
    return { ...stanza, Filename: path }
  }
  for (const kit of locked) {
    const { profile, lock } = kit
    const suite = suiteOf(profile.suite)
    await addDebs(suite, profile.architecture, allDebs(lock))
    const list = listFor(suite, profile.architecture, ownComponent)
    for (const entry of profile.stages) add(list, await ownPackage(kit, entry))
  }
  for (const { suite, architecture, debs } of toolsLocks) await addDebs(suiteOf(suite), architecture, debs)
  const timeSeconds = Math.max(
    ...[...locked.map(({ lock }) => lock), ...toolsLocks].map(({ time }) => Date.parse(time) / 1000),
  )
  const rendered = [...suites].map(([codename, suite]) => renderSuite(codename, suite, Math.floor(timeSeconds)))
  return {
    packages: [...own.values()].map(({ file }) => file),
    indexes: rendered.flatMap(({ indexes }) => indexes),
    releases: rendered.flatMap(({ releases }) => releases),
  }
}
