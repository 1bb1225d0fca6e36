import { z } from 'zod'
import { hashBytes } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { sha256Schema } from '../lock/schema.ts'

/** Value of `format` in the manifests that this pibake writes and reads. */
const kitFormat = 'pibake-kit-1'

/** Names of the files of a kit that describe it, below its folder. */
export const kitPaths = {
  /** What is on it: this manifest. `cache/supply.ts` reads it too. */
  manifest: 'kit/kit.json',
  /** Sums of all files, the manifest among them, as sha256sum(1) checks them. */
  sums: 'SHA256SUMS',
  /** OpenPGP signature of the sums, detached and armoured. */
  signature: 'SHA256SUMS.asc',
  /** The public key, armoured. Itself among the sums. */
  key: 'pibake-kit.asc',
  /** There while the kit is being written, and after that was interrupted. */
  unfinished: 'kit/unfinished',
  /** Where files are until they are whole. */
  incoming: 'kit/incoming',
} as const

/** Folders that belong to the kit alone: what no manifest names there is removed when the kit is written. */
export const ownFolders = ['artifacts', 'bases', 'dists', 'docs', 'kit', 'npm', 'pool', 'stages'] as const

const longestPath = 200
/** Names that Windows keeps for devices, whatever their ending (Microsoft: "Naming Files, Paths, and Namespaces"). */
const deviceName = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i

/**
 * What is wrong with a path on a stick, to follow `a path that …`; undefined when it may stand there. It must mean one
 * place below the stick's folder, and have that name on FAT and exFAT as well.
 */
export const pathFault = (path: string): string | undefined => {
  const names = path.split('/')
  if (names.some((name) => name === '' || name === '.' || name === '..')) return 'is not in its shortest form'
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(path)) return 'has a control character in it'
  if (/[\\:*?"<>|]/.test(path)) return 'has a character in it that FAT has no place for'
  if (names.some((name) => /[ .]$/.test(name) || name.startsWith(' '))) return 'has a name that FAT would shorten'
  if (names.some((name) => deviceName.test(name))) return 'is the name of a device on Windows'
  if (Buffer.byteLength(path) > longestPath) return 'is too long'
  return undefined
}

const path = z.string().refine((text) => pathFault(text) === undefined, 'must be a path that every file system takes')

const kitFile = z.strictObject({ path, sizeBytes: z.int().nonnegative(), sha256: sha256Schema })

const manifestSchema = z.strictObject({
  format: z.literal(kitFormat),
  pibake: z.string().regex(/^[\w.+-]{1,40}$/, 'must be a version'),
  time: z.iso.datetime().describe('the newest time of its locks'),
  machines: z.array(z.enum(['x64', 'arm64'])).describe('what it runs on, as Node names processors'),
  profiles: z.array(z.string().regex(/^[a-z][a-z0-9-]*$/, 'must be the name of a profile')),
  files: z.array(kitFile).max(100_000).describe('all but the sums and their signature, sorted by path'),
})

export type KitFile = z.infer<typeof kitFile>
export type KitManifest = z.infer<typeof manifestSchema>

/** Order of paths that depends on no locale. */
export const byPath = (a: { path: string }, b: { path: string }): number =>
  a.path < b.path ? -1 : a.path > b.path ? 1 : 0

/** Throw a plain Error for paths that a stick cannot hold side by side: they are chosen by pibake, not by a user. */
export const assertPaths = (files: readonly { path: string }[]): void => {
  const seen = new Map<string, string>()
  for (const { path } of files) {
    const fault = pathFault(path)
    if (fault !== undefined) throw new Error(`a stick cannot carry \`${path}\`: it ${fault}`)
    const other = seen.get(path.toLowerCase())
    if (other !== undefined) throw new Error(`a stick cannot tell \`${path}\` from \`${other}\``)
    seen.set(path.toLowerCase(), path)
  }
}

/** The manifest as text: one order of keys and files, a file a line, so that equal content gives equal bytes. */
export const formatManifest = (manifest: Omit<KitManifest, 'format'>): string => {
  const { pibake, time, machines, profiles, files } = manifest
  assertPaths(files)
  const head = JSON.stringify({ format: kitFormat, pibake, time, machines, profiles }).slice(0, -1)
  const lines = [...files]
    .sort(byPath)
    .map(({ path, sizeBytes, sha256 }) => JSON.stringify({ path, sizeBytes, sha256 }))
  return `${head},"files":[\n${lines.join(',\n')}\n]}\n`
}

/** The sums of everything on a stick, as sha256sum(1) writes them: that of the manifest, then of each file in it. */
export const renderSums = (manifestText: string, files: readonly KitFile[]): string =>
  [{ path: kitPaths.manifest, sha256: hashBytes(manifestText) }, ...files]
    .map(({ path, sha256 }) => `${sha256}  ${path}\n`)
    .join('')

/** A kit that is not what it should be: `KIT_INVALID`, saying what is wrong (`is not finished` …). */
export const refuseKit = (
  folder: string,
  what: string,
  options: { details?: readonly string[]; cause?: unknown; hint?: string } = {},
): PibakeError => {
  const {
    details = [],
    cause,
    hint = 'Write it again: `pibake kit FOLDER`, or `pibake kit copy` from a whole one.',
  } = options
  return new PibakeError('KIT_INVALID', `The kit in \`${folder}\` ${what}.`, {
    hint,
    details,
    ...(cause === undefined ? {} : { cause }),
  })
}

/** Read a manifest. Throws `KIT_INVALID` naming the folder. */
export const parseManifest = (folder: string, text: string): KitManifest => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw refuseKit(folder, 'has a manifest that is no JSON', { cause })
  }
  const result = manifestSchema.safeParse(value)
  if (!result.success) {
    const details = result.error.issues
      .slice(0, 10)
      .map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`)
    throw refuseKit(folder, 'has a manifest that this pibake cannot read', { details })
  }
  return result.data
}
