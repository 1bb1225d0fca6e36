import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { sha512Of } from '../cache/integrity.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Architecture } from '../host/architecture.ts'

/** A package of an npm tree, as its lock names it. */
export interface NpmPackage {
  /** Name in the registry, also when it is installed under an alias. */
  name: string
  version: string
  /** Its place in the tree: `node_modules/x/node_modules/@scope/y`. */
  path: string
  integrity: string
}

/** What the packages must run on; words as in `os`, `cpu` and `libc` of package.json(5). */
export interface NpmTarget {
  os: string
  cpu: string
  libc: string
}

/** What npm calls the processors (Node's `process.arch`). */
const processors: Readonly<Record<Architecture, string>> = { amd64: 'x64', arm64: 'arm64', armhf: 'arm' }

/** What packages must run on to be of use on an image for that processor. */
export const npmTargetOf = (architecture: Architecture): NpmTarget => ({
  os: 'linux',
  cpu: processors[architecture],
  libc: 'glibc',
})

const words = z.union([z.string().transform((word) => [word]), z.array(z.string())])
const dependencies = z.record(z.string(), z.string())

const entrySchema = z.object({
  name: z.string().optional(),
  version: z.string().optional(),
  resolved: z.string().optional(),
  integrity: z.string().optional(),
  link: z.boolean().optional(),
  dev: z.boolean().optional(),
  optional: z.boolean().optional(),
  devOptional: z.boolean().optional(),
  extraneous: z.boolean().optional(),
  inBundle: z.boolean().optional(),
  os: words.optional(),
  cpu: words.optional(),
  libc: words.optional(),
  dependencies: dependencies.optional(),
  optionalDependencies: dependencies.optional(),
})

type Entry = z.infer<typeof entrySchema>

const lockSchema = z.object({ lockfileVersion: z.literal(3), packages: z.record(z.string(), entrySchema) })
const manifestSchema = entrySchema.pick({ dependencies: true, optionalDependencies: true })

const relock = 'Make the lock anew in that folder: `npm install --package-lock-only`.'

/**
 * The packages that `folder` (with `package.json` and `package-lock.json`, lockfileVersion 3) installs on `target`, sorted
 * by path. Development packages and optional ones for other machines are left out. Throws `LOCK_INVALID` for what has
 * no integrity in the lock (links, git, folders), `LOCK_STALE` when the lock is not of that package.json.
 */
export const readNpmTree = async (folder: string, target: NpmTarget = npmTargetOf('arm64')): Promise<NpmPackage[]> => {
  const manifest = await readJson(join(folder, 'package.json'), manifestSchema)
  const lock = await readJson(join(folder, 'package-lock.json'), lockSchema)
  const root = lock.packages[''] ?? {}
  for (const kind of ['dependencies', 'optionalDependencies'] as const) {
    const stale = differingName(manifest[kind] ?? {}, root[kind] ?? {})
    if (stale !== undefined) {
      throw new PibakeError('LOCK_STALE', `\`${folder}\`: package-lock.json was made for another \`${stale}\`.`, {
        hint: relock,
      })
    }
  }
  return Object.entries(lock.packages)
    .filter(([path, entry]) => path !== '' && !entry.dev && !entry.extraneous && !entry.inBundle)
    .flatMap(([path, entry]) => toPackage(path, entry, { folder, target }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

const toPackage = (path: string, entry: Entry, context: { folder: string; target: NpmTarget }): NpmPackage[] => {
  const { folder, target } = context
  const refuse = (
    reason: string,
    hint = 'Only packages from a registry can be locked, fetched and carried.',
  ): never => {
    throw new PibakeError('LOCK_INVALID', `\`${path}\` in \`${folder}/package-lock.json\` ${reason}.`, { hint })
  }
  const installedName = nameAt(path) ?? refuse('is not a place below `node_modules`')
  const name = entry.name ?? installedName
  if (!packageName.test(name)) return refuse(`has the impossible name \`${name}\``)
  if (entry.link) return refuse('is a link to a folder')
  if (/^git\b|^git[+@]|^ssh:/.test(entry.resolved ?? '')) return refuse('comes from git')
  if (entry.resolved?.startsWith('file:')) return refuse('comes from a local file')
  const misfit = misfitOf(entry, target)
  if (misfit !== undefined) {
    if (entry.optional || entry.devOptional) return []
    return refuse(`does not run on the image: ${misfit}`, 'Take another package, or make it an optional dependency.')
  }
  const { version, integrity } = entry
  if (version === undefined || !/^[\w.+-]+$/.test(version)) return refuse('has no version', relock)
  if (integrity === undefined) return refuse('has no integrity', relock)
  if (sha512Of(integrity) === undefined) return refuse(`has the integrity \`${integrity}\`, not a sha512`, relock)
  return [{ name, version, path, integrity }]
}

const packageName = /^(?:@[\w~-][\w.~-]*\/)?[\w~-][\w.~-]*$/

/** The name a package is installed under, undefined for a path that is not a chain of `node_modules/<name>`. */
const nameAt = (path: string): string | undefined => {
  const parts = `/${path}`.split('/node_modules/')
  if (parts.length < 2 || parts[0] !== '') return undefined
  return parts.slice(1).every((part) => packageName.test(part)) ? parts.at(-1) : undefined
}

/** What of an entry does not fit the target, in words; the rules are those of npm-install-checks. */
const misfitOf = (entry: Entry, target: NpmTarget): string | undefined => {
  for (const kind of ['os', 'cpu', 'libc'] as const) {
    const list = entry[kind]
    if (list && !fits(target[kind], list)) return `${kind} is ${list.join(', ')}`
  }
  return undefined
}

const fits = (word: string, list: readonly string[]): boolean => {
  if (list.length === 0 || (list.length === 1 && list[0] === 'any')) return true
  if (list.includes(`!${word}`)) return false
  return list.includes(word) || list.every((item) => item.startsWith('!'))
}

const differingName = (a: Record<string, string>, b: Record<string, string>): string | undefined =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].sort().find((name) => a[name] !== b[name])

const readJson = async <T>(path: string, schema: z.ZodType<T>): Promise<T> => {
  try {
    const result = schema.safeParse(JSON.parse(await readFile(path, 'utf8')))
    if (result.success) return result.data
    const details = result.error.issues.map(({ path: place, message }) => `${place.join(' › ')}: ${message}`)
    throw new PibakeError('LOCK_INVALID', `\`${path}\` is not what pibake reads.`, {
      hint: `${relock} Its lockfileVersion must be 3 (npm 7 and later).`,
      details: details.slice(0, 20),
    })
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new PibakeError('LOCK_INVALID', `\`${path}\` is not JSON: ${error.message}.`, {
        hint: relock,
        cause: error,
      })
    }
    if (errnoOf(error) !== 'ENOENT') throw error
    throw new PibakeError('CONFIG_INVALID', `\`${path}\` does not exist.`, {
      hint: 'An npm tree needs package.json and package-lock.json.',
    })
  }
}
