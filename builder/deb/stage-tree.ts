import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PibakeError } from '../core/error.ts'
import { listContent } from '../profile/content.ts'
import type { Stage, StageSettings } from '../profile/schema.ts'
import type { Unit } from './maintainer.ts'
import type { Tree, TreeEntry } from './pack-tar.ts'
import {
  checksFolderOf,
  labFolderOf,
  packageNameOf,
  renderCopyright,
  renderSettings,
  renderStageJson,
} from './stage-control.ts'

/** A file that `fetch` has put aside and the package carries. */
export interface ArtifactFile {
  /** Absolute path on the image. */
  path: string
  /** Absolute path of its content on this machine. */
  sourceFile: string
  mode: number
}

const textFile = (text: string): TreeEntry => ({ kind: 'file', mode: 0o644, bytes: Buffer.from(text) })

/** On a merged-/usr system these are links, and a package that ships files through them loses them on upgrades. */
const aliased = /^(bin|sbin|lib|lib32|lib64|libx32)(\/|$)/

const addFolder = async (tree: Map<string, TreeEntry>, folder: string, owner: string): Promise<void> => {
  for (const entry of await listContent(folder)) {
    const content: TreeEntry =
      entry.kind === 'link'
        ? { kind: 'link', target: entry.target }
        : { kind: 'file', mode: entry.executable ? 0o755 : 0o644, source: entry.source }
    add(tree, entry.path, content, owner)
  }
}

const add = (tree: Map<string, TreeEntry>, path: string, entry: TreeEntry, owner: string): void => {
  const refuse = (message: string, hint: string) => {
    throw new PibakeError('CONFIG_INVALID', `The stage \`${owner}\` ${message}.`, { hint })
  }
  if (aliased.test(path)) refuse(`carries \`/${path}\`, below a link of a merged /usr`, `Move it to \`/usr/${path}\`.`)
  if (tree.has(path)) refuse(`carries \`/${path}\` twice`, 'pibake generates that file, or an artifact lands there.')
  tree.set(path, entry)
}

/** Everything that a stage's package puts on the image. `npmTree` holds its `node_modules`. */
export const collectTree = async (options: {
  stage: Stage
  settings: StageSettings
  npmTree?: Tree
  artifacts: readonly ArtifactFile[]
}): Promise<Tree> => {
  const { stage } = options
  const { name } = stage
  const tree = new Map<string, TreeEntry>()
  add(tree, `etc/pibake/${name}.conf`, textFile(renderSettings(stage, options.settings)), name)
  add(tree, `usr/share/pibake/stages/${name}.json`, textFile(renderStageJson(stage)), name)
  add(tree, `usr/share/doc/${packageNameOf(name)}/copyright`, textFile(renderCopyright(stage)), name)
  const asked = [
    ...stage.checks.map((check) => check.run),
    ...stage.powerChecks.flatMap(({ write, verify }) => [write, verify]),
  ]
  for (const run of new Set(asked)) {
    const source = join(stage.folder, 'checks', run)
    add(tree, `${checksFolderOf(name)}/${run}`, { kind: 'file', mode: 0o755, source }, name)
  }
  for (const script of new Set(stage.labChecks.flatMap(({ run, peer }) => [run, ...(peer ? [peer] : [])]))) {
    const source = join(stage.folder, 'lab', script)
    add(tree, `${labFolderOf(name)}/${script}`, { kind: 'file', mode: 0o755, source }, name)
  }
  if (stage.npm) {
    if (options.npmTree === undefined) throw new Error(`no npm tree for the stage ${name}`)
    const source = join(stage.folder, 'npm', 'package.json')
    add(tree, `opt/pibake/${name}/package.json`, { kind: 'file', mode: 0o644, source }, name)
    for (const [path, entry] of options.npmTree) add(tree, `opt/pibake/${name}/${path}`, entry, name)
  }
  for (const { path, sourceFile, mode } of options.artifacts) {
    add(tree, path.slice(1), { kind: 'file', mode, source: sourceFile }, name)
  }
  if (stage.overlay !== undefined) await addFolder(tree, stage.overlay, name)
  return tree
}

/** Configuration files that dpkg is to keep when an administrator has changed them: all plain files below /etc. */
export const conffilesOf = (tree: Tree): string[] =>
  [...tree]
    .filter(([path, entry]) => path.startsWith('etc/') && entry.kind === 'file')
    .map(([path]) => `/${path}`)
    .sort()

const filesIn = (tree: Tree, folder: string, pattern: RegExp): string[] =>
  [...tree.keys()]
    .filter((path) => path.startsWith(`${folder}/`))
    .map((path) => path.slice(folder.length + 1))
    .filter((name) => pattern.test(name))
    .sort()

const unitPattern = /^[^/]+\.(service|socket|timer|path|mount|automount|swap|target|slice)$/

/** The systemd units that a tree carries, aliases by symbolic link excepted. */
export const unitsOf = async (tree: Tree): Promise<Unit[]> => {
  const units: Unit[] = []
  for (const name of filesIn(tree, 'usr/lib/systemd/system', unitPattern)) {
    const entry = tree.get(`usr/lib/systemd/system/${name}`)
    if (entry?.kind !== 'file') continue
    const text = 'bytes' in entry ? Buffer.from(entry.bytes).toString() : await readFile(entry.source, 'utf8')
    units.push({ name, text })
  }
  return units
}

/** Names of the files for systemd-sysusers(8). */
export const sysusersOf = (tree: Tree): string[] => filesIn(tree, 'usr/lib/sysusers.d', /^[^/]+\.conf$/)

/** Names of the files for systemd-tmpfiles(8). */
export const tmpfilesOf = (tree: Tree): string[] => filesIn(tree, 'usr/lib/tmpfiles.d', /^[^/]+\.conf$/)
