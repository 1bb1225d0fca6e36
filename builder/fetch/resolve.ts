import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Sha256 } from '../core/digest.ts'
import { type Emit, runStep } from '../core/event.ts'
import { formatStanzas, parseStanzas, type Stanza } from '../deb/deb822.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import { toLockedDeb } from '../lock/debs.ts'
import type { ResolveStep } from '../lock/request.ts'
import type { LockedDeb } from '../lock/schema.ts'
import { aptFailure } from './apt-failure.ts'
import { layOutApt, stageStanzas } from './apt-workspace.ts'
import type { SuiteIndex } from './indexes.ts'
import type { IndexedPackage, PackageTable } from './package-table.ts'

export interface ResolveOptions {
  tools: Tools
  indexes: readonly SuiteIndex[]
  table: PackageTable
  blobPath: (sha256: Sha256) => string
  architecture: string
  /** Architectures whose packages may be installed besides. */
  foreignArchitectures?: readonly string[]
  steps: readonly ResolveStep[]
  /** Packages for the mirror on the image only, resolved on top of all steps. */
  extras: readonly string[]
  /** The dpkg status of a base image; nothing is installed without it. */
  status?: string
  /** An existing folder for files that are needed meanwhile. */
  scratch: string
  emit: Emit
  signal?: AbortSignal
}

/** What apt would install, step by step. */
export interface Resolution {
  steps: { name: string; debs: LockedDeb[] }[]
  extras: LockedDeb[]
}

/**
 * Let apt of the tools tree choose the packages of each step, on top of all earlier ones, from the verified indexes.
 * apt verifies their signatures once more and has no network. Throws `RESOLVE_FAILED` with apt's explanation, naming
 * the step.
 */
export const resolveSteps = (options: ResolveOptions): Promise<Resolution> =>
  runStep(options.emit, { id: 'resolve', title: `Resolve the packages of ${options.steps.length} steps` }, async () => {
    const work = await mkdtemp(join(options.scratch, 'resolve-'))
    try {
      return await resolveIn(work, options)
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  })

const resolveIn = async (work: string, options: ResolveOptions): Promise<Resolution> => {
  const { emit, table } = options
  const stages = stageStanzas(options.steps)
  await layOutApt(work, { ...options, stages })
  const apt = (args: readonly string[]) =>
    runTool(options.tools, ['apt-get', ...args], {
      env: { APT_CONFIG: join(work, 'apt.conf') },
      writable: [work],
      ...(options.signal ? { signal: options.signal } : {}),
    })
  await apt(['update', '-qq', '--error-on=any'])

  const installed = new Map<string, Stanza>()
  for (const stanza of parseStanzas(options.status ?? '')) {
    if (stanza.Package !== undefined) installed.set(`${stanza.Package}:${stanza.Architecture ?? ''}`, stanza)
  }
  const simulate = async (name: string, wanted: readonly string[], recommends: boolean): Promise<LockedDeb[]> => {
    if (wanted.length === 0) return []
    await writeFile(join(work, 'status'), formatStanzas(installed.values()))
    const asked = [
      'install',
      '--simulate',
      '-qq',
      '--no-remove',
      '-o',
      `APT::Install-Recommends=${recommends}`,
      '--',
      ...wanted,
    ]
    const { stdout } = await apt(asked).catch((error: unknown) => {
      throw aptFailure(error, { step: name, known: table.byName.keys() })
    })
    const debs: LockedDeb[] = []
    for (const choice of parseSimulation(stdout)) {
      const stage = stages.find(({ Package }) => Package === choice.name)
      const item = stage ? undefined : findPackage(table, choice)
      const stanza = stage ?? statusStanza(item)
      // A package of a foreign architecture takes the place of nothing but itself.
      const replaced = options.foreignArchitectures?.includes(choice.architecture)
        ? [choice.architecture]
        : ['all', options.architecture]
      for (const architecture of replaced) installed.delete(`${choice.name}:${architecture}`)
      installed.set(`${choice.name}:${stanza.Architecture}`, { ...stanza, Status: 'install ok installed' })
      if (item) debs.push(toLockedDeb(item))
    }
    return debs
  }

  const steps: { name: string; debs: LockedDeb[] }[] = []
  for (const [index, step] of options.steps.entries()) {
    const wanted = new Set(step.packages)
    if (step.essential) for (const name of essentialPackages(table)) wanted.add(name)
    if (step.stagePackage) wanted.add(step.stagePackage.name)
    steps.push({ name: step.name, debs: await simulate(step.name, [...wanted], step.recommends ?? false) })
    emit({ type: 'step-progress', id: 'resolve', done: index + 1, total: options.steps.length, unit: 'items' })
  }
  return { steps, extras: await simulate('extraPackages', options.extras, false) }
}

/** Names of all packages that the suite marks essential in their newest version. */
export const essentialPackages = (table: PackageTable): string[] =>
  [...table.byName.values()]
    .map((versions) => versions.find(({ suite }) => suite === undefined))
    .flatMap((newest) => (newest?.isEssential ? [newest.name] : []))
    .sort()

interface Choice {
  name: string
  version: string
  architecture: string
}

/** The `Inst` lines of `apt-get --simulate install`: `Inst name [old version] (version origin [architecture]) …`. */
export const parseSimulation = (stdout: string): Choice[] =>
  stdout.split('\n').flatMap((line) => {
    const match = /^Inst (\S+) (?:\[\S+\] )?\((\S+) .*?\[([a-z0-9-]+)\]/.exec(line)
    const [, name, version, architecture] = match ?? []
    if (name === undefined || version === undefined || architecture === undefined) return []
    return [{ name: name.replace(/:.*$/, ''), version, architecture }]
  })

const findPackage = (table: PackageTable, { name, version, architecture }: Choice): IndexedPackage => {
  const item = table.byName
    .get(name)
    ?.find((candidate) => candidate.version === version && candidate.architecture === architecture)
  if (!item) throw new Error(`apt chose ${name} ${version} (${architecture}), which no index has`)
  return item
}

const statusStanza = (item: IndexedPackage | undefined): Stanza => {
  const { Filename: _path, Size: _size, SHA256: _sha256, ...stanza } = item?.stanza ?? {}
  return stanza
}
