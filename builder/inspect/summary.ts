import { basename } from 'node:path'
import { sectorBytes } from '../image/table.ts'
import { basePackagesOf, kernelPackageOf } from '../profile/base-packages.ts'
import { targetNames } from '../profile/target.ts'
import { readText } from './content.ts'
import { readCopyright } from './copyright.ts'
import { readDpkg } from './dpkg.ts'
import type { ImageTree } from './image-tree.ts'
import { type NpmPackage, readNpm } from './npm.ts'
import { assignStages, baseName } from './origin.ts'
import { readStages } from './stages.ts'
import { readServices, readSystem, type SystemFacts } from './system.ts'
import { findOwners, measureSpace, type Usage } from './usage.ts'
import type { Volume } from './volume.ts'

export interface PartitionSummary {
  number: number
  /** The MBR type byte. */
  type: number
  startBytes: number
  sizeBytes: number
  /** Undefined for what pibake does not read. */
  fileSystem: 'ext4' | 'fat' | undefined
  label: string
  id: string
  usedBytes: number
}

export interface PackageSummary extends Usage {
  name: string
  version: string
  architecture: string
  summary: string
  /** The stage that brought it, or `base`. */
  stage: string
  /** By SPDX's names where it has them, else as its copyright file calls them; empty where it names none. */
  licences: string[]
}

export interface StageSummary {
  /** `base`, or the stage's name. */
  name: string
  /** Undefined for the base. */
  version: string | undefined
  summary: string
  /** How many packages it brought, and what they take. */
  packages: number
  sizeBytes: number
  /** Titles of its checks. */
  checks: string[]
}

export interface ServiceSummary {
  name: string
  description: string
  /** The stage whose package has its unit; undefined where no package has it. */
  stage: string | undefined
}

/** What is in an image, without its files. All sizes are whole blocks, as they are missing from the card's free space. */
export interface ImageSummary {
  /** File name of the image. */
  image: string
  sizeBytes: number
  diskId: string
  partitions: PartitionSummary[]
  system: SystemFacts
  /** The base, then the stages by name. */
  stages: StageSummary[]
  packages: PackageSummary[]
  npm: NpmPackage[]
  services: ServiceSummary[]
  /** Folders with files that no package brought. */
  others: (Usage & { path: string })[]
  /** What the root file system takes for itself and its folders. */
  overheadBytes: number
}

const partitionsOf = ({ partitions }: ImageTree): PartitionSummary[] =>
  partitions.map(({ number, type, startSector, sectors, volume }) => ({
    number,
    type,
    startBytes: startSector * sectorBytes,
    sizeBytes: sectors * sectorBytes,
    fileSystem: volume?.kind,
    label: volume?.label ?? '',
    id: volume?.id ?? '',
    usedBytes: volume?.usedBytes ?? 0,
  }))

/** The root file system of an image: an ext4 that has an /etc. */
export const rootOf = ({ partitions }: ImageTree): Volume | undefined =>
  partitions.map(({ volume }) => volume).find((volume) => volume?.kind === 'ext4' && volume.entries.has('/etc'))

const emptySystem: SystemFacts = { name: 'unknown', hostname: '', architecture: 'unknown', kernels: [] }

const sum = (items: readonly Usage[]): number => items.reduce((total, { sizeBytes }) => total + sizeBytes, 0)

/** What is on a root file system: all of a summary that is not about the image around it. */
const summariseRoot = (
  volume: Volume,
  known: ReadonlyMap<string, string>,
): Pick<ImageSummary, 'system' | 'stages' | 'packages' | 'npm' | 'services' | 'others' | 'overheadBytes'> => {
  const installed = readDpkg(volume)
  const declared = readStages(volume)
  const origins = assignStages(installed, {
    stages: declared.map(({ name }) => name),
    baseRoots: [
      ...targetNames.flatMap((target) => basePackagesOf({ suite: 'trixie', target })),
      ...(['amd64', 'arm64', 'armhf'] as const).map(kernelPackageOf),
    ],
  })
  const originOf = (name: string): string => known.get(name) ?? origins.get(name) ?? baseName
  const owners = findOwners(volume, installed)
  const space = measureSpace(volume, owners)
  const packages = installed.map(({ name, version, architecture, summary }) => ({
    name,
    version,
    architecture,
    summary,
    stage: originOf(name),
    ...(space.packages.get(name) ?? { sizeBytes: 0, files: 0 }),
    licences: readCopyright(readText(volume, `/usr/share/doc/${name}/copyright`) ?? '').names,
  }))
  const broughtBy = (stage: string): Pick<StageSummary, 'packages' | 'sizeBytes'> => {
    const brought = packages.filter((item) => item.stage === stage)
    return { packages: brought.length, sizeBytes: sum(brought) }
  }
  const base = { name: baseName, version: undefined, summary: 'The system that the stages stand on', checks: [] }
  return {
    system: readSystem(volume, installed.find(({ name }) => name === 'dpkg')?.architecture),
    stages: [base, ...declared].map((stage) => ({ ...stage, ...broughtBy(stage.name) })),
    packages,
    npm: readNpm(volume),
    services: readServices(volume).map(({ name, description, path }) => {
      const owner = owners.get(path)
      return { name, description, stage: owner === undefined ? undefined : originOf(owner) }
    }),
    others: Array.from(space.others, ([path, usage]) => ({ path, ...usage })).sort((a, b) => b.sizeBytes - a.sizeBytes),
    overheadBytes: space.overheadBytes,
  }
}

/**
 * Say what is in an image that is open: partitions, system, stages, packages and where the space went. Which stage brought
 * a package is taken from `origins` where it says so, as a lock does, and otherwise told from what packages need.
 */
export const summariseImage = (
  tree: ImageTree,
  { origins = new Map() }: { origins?: ReadonlyMap<string, string> } = {},
): ImageSummary => {
  const root = rootOf(tree)
  return {
    image: basename(tree.path),
    sizeBytes: tree.sizeBytes,
    diskId: tree.diskId,
    partitions: partitionsOf(tree),
    ...(root
      ? summariseRoot(root, origins)
      : { system: emptySystem, stages: [], packages: [], npm: [], services: [], others: [], overheadBytes: 0 }),
  }
}
