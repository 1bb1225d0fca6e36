import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress } from 'node:zlib'
import { hashFile, type Sha256 } from '../core/digest.ts'
import { readIfThere } from '../core/file.ts'
import type { Architecture } from '../host/architecture.ts'
import type { Stage, StageSettings } from '../profile/schema.ts'
import { writeAr } from './ar.ts'
import { maintainerScripts } from './maintainer.ts'
import { packTar, type Tree, type TreeEntry, withFolders } from './pack-tar.ts'
import { packageArchitectureOf, packageNameOf, renderControl } from './stage-control.ts'
import { type ArtifactFile, collectTree, conffilesOf, sysusersOf, tmpfilesOf, unitsOf } from './stage-tree.ts'

/**
 * Counts the shapes that `buildStagePackage` has given its packages. It belongs into every key that stands for a built
 * package, next to `stageDigest`, and goes up when the same stage becomes different bytes.
 */
export const stagePackageFormat = 1

export interface StagePackageOptions {
  stage: Stage
  settings: StageSettings
  /** Of the image that the package is for. */
  architecture: Architecture
  /** What lies below `node_modules`, that name included, for a stage with an npm tree. */
  npmTree?: Tree
  artifacts: readonly ArtifactFile[]
  /** Time of everything in the package, seconds since 1970. */
  timeSeconds: number
  /** Absolute path of the folder that the package is written to. */
  destination: string
  signal?: AbortSignal
}

export interface StagePackage {
  name: string
  version: string
  architecture: 'all' | Architecture
  /** Absolute path of the `.deb`. */
  path: string
  sizeBytes: number
  sha256: Sha256
}

const snippetNames = ['postinst', 'prerm', 'postrm', 'triggers'] as const

const readSnippets = async (stage: Stage): Promise<Partial<Record<(typeof snippetNames)[number], string>>> => {
  const texts = await Promise.all(snippetNames.map((name) => readIfThere(join(stage.folder, name))))
  const found = snippetNames.map((name, index) => [name, texts[index]] as const)
  return Object.fromEntries(found.flatMap(([name, text]) => (text === undefined ? [] : [[name, withNewline(text)]])))
}

const withNewline = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`)

const compress = async (
  tree: Tree,
  options: { path: string; timeSeconds: number; onFile?: (path: string, bytes: Uint8Array) => void },
  signal: AbortSignal | undefined,
): Promise<void> => {
  const params = { [constants.ZSTD_c_compressionLevel]: 9, [constants.ZSTD_c_checksumFlag]: 1 }
  await pipeline(
    Readable.from(packTar(tree, options)),
    createZstdCompress({ params }),
    createWriteStream(options.path),
    signal ? { signal } : {},
  )
}

const controlTree = async (
  stage: Stage,
  tree: Tree,
  content: { md5sums: ReadonlyMap<string, string>; architecture: Architecture; installedKiB: number },
): Promise<Tree> => {
  const { triggers, ...snippets } = await readSnippets(stage)
  const scripts = maintainerScripts({
    packageName: packageNameOf(stage.name),
    units: await unitsOf(tree),
    sysusers: sysusersOf(tree),
    tmpfiles: tmpfilesOf(tree),
    snippets,
  })
  const conffiles = conffilesOf(tree)
  const sums = [...content.md5sums].filter(([path]) => !conffiles.includes(`/${path}`))
  const file = (text: string, mode = 0o644): TreeEntry => ({ kind: 'file', mode, bytes: Buffer.from(text) })
  return new Map<string, TreeEntry>([
    ['control', file(renderControl(stage, content))],
    ['conffiles', file(conffiles.map((path) => `${path}\n`).join(''))],
    ['md5sums', file(sums.map(([path, sum]) => `${sum}  ${path}\n`).join(''))],
    ...Object.entries(scripts).map(([name, text]): [string, TreeEntry] => [name, file(text, 0o755)]),
    ...(triggers === undefined ? [] : [['triggers', file(triggers)] as const]),
  ])
}

/**
 * Build a stage into the Debian package `pibake-<name>_<version>_<architecture>.deb` (deb(5), both members
 * zstd-compressed). The bytes depend on the options' content alone: not on times, owners, umask or places of files.
 * Throws `CONFIG_INVALID` when the stage carries a path twice or below a link of a merged /usr.
 */
export const buildStagePackage = async (options: StagePackageOptions): Promise<StagePackage> => {
  const { stage, timeSeconds, destination, signal } = options
  const name = packageNameOf(stage.name)
  const architecture = packageArchitectureOf(stage, options.architecture)
  const tree = await collectTree(options)
  await mkdir(destination, { recursive: true })
  const scratch = await mkdtemp(join(destination, '.building-'))
  try {
    const md5sums = new Map<string, string>()
    let installedKiB = 0
    const onFile = (path: string, bytes: Uint8Array): void => {
      md5sums.set(path, createHash('md5').update(bytes).digest('hex'))
      installedKiB += Math.ceil(bytes.length / 1024)
    }
    const data = { path: join(scratch, 'data.tar.zst'), timeSeconds, onFile }
    await compress(tree, data, signal)
    // As dpkg-gencontrol counts: files in whole KiB, everything else 1 KiB.
    installedKiB += withFolders(tree).filter(([, entry]) => entry.kind !== 'file').length
    const control = { path: join(scratch, 'control.tar.zst'), timeSeconds }
    await compress(
      await controlTree(stage, tree, { md5sums, architecture: options.architecture, installedKiB }),
      control,
      signal,
    )
    const members = [
      { name: 'debian-binary', bytes: Buffer.from('2.0\n') },
      { name: 'control.tar.zst', source: control.path },
      { name: 'data.tar.zst', source: data.path },
    ]
    const built = join(scratch, 'package.deb')
    await writeAr(built, members, { timeSeconds, ...(signal ? { signal } : {}) })
    const path = join(destination, `${name}_${stage.version}_${architecture}.deb`)
    const result = { sizeBytes: (await stat(built)).size, sha256: await hashFile(built) }
    await rename(built, path)
    return { name, version: stage.version, architecture, path, ...result }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
