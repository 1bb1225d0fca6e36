import { posix } from 'node:path'
import type { Architecture } from '../host/architecture.ts'

/** What of package.json says which files of a package are used. */
export interface NpmManifest {
  name?: unknown
  bin?: unknown
  main?: unknown
  module?: unknown
  browser?: unknown
  exports?: unknown
  directories?: unknown
  scripts?: unknown
}

export interface PruneInput {
  manifest: NpmManifest
  /** All files of the package, relative to it. */
  files: readonly string[]
  architecture: Architecture
  /** Text of a file, for folders that the package's own code may load. */
  readText: (file: string) => Promise<string>
}

const licence = /^(?:licen[cs]e|notice|copying)/i
const prebuild = /^prebuilds\/((?:aix|android|darwin|freebsd|ios|linux|openbsd|sunos|win32)-[a-z0-9+]+)\//
const source = /\.(?:c|cc|cpp|cxx|h|hh|hpp|gyp|gypi)$/
const typesAndMaps = /\.(?:d\.[cm]?ts|(?:[cm]?js|css|[cm]?ts|min)\.map)$/
const unusedFolder = /^(?:tests?|__tests__|examples?|docs|\.github|benchmark[^/]*)$/
const code = /\.[cm]?js$/

/** What prebuildify calls the processors (Node's `process.arch`). */
const processors: Readonly<Record<Architecture, string>> = { amd64: 'x64', arm64: 'arm64', armhf: 'arm' }

/** Whether a folder of `prebuilds/` is for linux on that processor; prebuildify joins several by `+`. */
const isTargetPrebuild = (name: string, architecture: Architecture): boolean => {
  const [os, named] = name.split('-')
  return os === 'linux' && named?.split('+').includes(processors[architecture]) === true
}

/** Whether the package brings compiled code for the image. */
export const hasTargetPrebuild = (files: readonly string[], architecture: Architecture): boolean =>
  files.some((file) => {
    const name = prebuild.exec(file)?.[1]
    return name !== undefined && isTargetPrebuild(name, architecture)
  })

/** Whether npm would run a script of the package, or compile it, when it installs it: package.json(5). */
export const wantsInstallScript = ({ scripts }: NpmManifest, files: readonly string[]): boolean =>
  files.includes('binding.gyp') ||
  ['preinstall', 'install', 'postinstall'].some((name) => pick(scripts, name) !== undefined)

/**
 * Which files of a package the image does not need: prebuilds for other machines, the native sources where there is a
 * prebuild for ours, type declarations, source maps, and tests, examples and docs at the top that neither package.json
 * nor the package's own code refers to. Licence texts always stay.
 */
export const choosePruned = async (input: PruneInput): Promise<Set<string>> => {
  const { manifest, files, architecture } = input
  const used = new Set(referredFiles(manifest))
  const compiled = hasTargetPrebuild(files, architecture)
  const folders = await unusedFolders(input, used)
  const isUnneeded = (file: string): boolean => {
    if (used.has(file) || licence.test(posix.basename(file))) return false
    const machine = prebuild.exec(file)?.[1]
    if (machine !== undefined) return !isTargetPrebuild(machine, architecture)
    const top = file.includes('/') ? file.slice(0, file.indexOf('/')) : undefined
    if (compiled && (source.test(file) || (top === 'deps' && ![...used].some((path) => path.startsWith('deps/'))))) {
      return true
    }
    return typesAndMaps.test(file) || (top !== undefined && folders.has(top))
  }
  return new Set(files.filter(isUnneeded))
}

const unusedFolders = async (
  { files, readText }: PruneInput,
  used: ReadonlySet<string>,
): Promise<ReadonlySet<string>> => {
  const candidates = new Set(
    files.flatMap((file) => {
      const top = file.slice(0, Math.max(0, file.indexOf('/')))
      return unusedFolder.test(top) ? [top] : []
    }),
  )
  for (const path of used) candidates.delete(path.split('/')[0] ?? '')
  if (candidates.size === 0) return candidates
  for (const file of files) {
    if (!code.test(file) || unusedFolder.test(file.split('/')[0] ?? '')) continue
    const text = await readText(file)
    for (const folder of candidates) if (loadsFrom(text, folder)) candidates.delete(folder)
  }
  return candidates
}

/** Whether code names a folder relative to itself: `'./test/x'`, `'../docs'`, or beside `__dirname`. */
const loadsFrom = (text: string, folder: string): boolean => {
  const name = folder.replaceAll('.', '\\.')
  return (
    new RegExp(`['"\`]\\.{1,2}/(?:[^'"\`\\n]*/)?${name}(?:/|['"\`])`).test(text) ||
    new RegExp(`(?:__dirname|import\\.meta)[^\\n]*['"\`/]${name}(?:/|['"\`])`).test(text)
  )
}

/** Paths that package.json leads to, relative to the package. */
const referredFiles = ({ bin, main, module, browser, exports, directories }: NpmManifest): string[] =>
  [bin, main, module, browser, exports, pick(directories, 'bin'), pick(directories, 'lib')]
    .flatMap(stringsIn)
    .map((path) => posix.normalize(path))

const pick = (value: unknown, key: string): unknown =>
  value !== null && typeof value === 'object' ? Object.entries(value).find(([name]) => name === key)?.[1] : undefined

const stringsIn = (value: unknown): string[] => {
  if (typeof value === 'string') return [value]
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(stringsIn) : []
}
