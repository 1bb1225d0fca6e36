import { z } from 'zod'
import { isSha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import { sha256Schema } from '../lock/schema.ts'

/** What a bundle may be at most; anything larger is refused before memory or disk is given to it. */
export interface BundleLimits {
  /** The header, and the manifest. */
  headerBytes: number
  /**
   * All files together, as their sizes are stated; content that several files share counts for each. Items of a cache do
   * not: each is named by its digest, so they take no more than the bundle itself.
   */
  totalBytes: number
  /** Files and folders. */
  entries: number
}

/** What every manifest lists. */
export interface Listing {
  files: readonly BundleFile[]
  /** Items of a cache, where the files are others. */
  cache?: readonly BundleFile[] | undefined
}

/** What bundles of a kind have in common: which files they may hold, and what their manifest says of them. */
export interface BundleKind<M extends Listing> {
  /** Value of `format` in its manifests. */
  format: string
  schema: z.ZodType<M>
  limits: BundleLimits
  /** What is wrong with a path in it, to follow `a path that …`; undefined when it may stand there. */
  pathFault: (path: string) => string | undefined
  /** The command that makes them. */
  madeBy: string
}

/** A limit in bytes as people say it. */
export const inMebibytes = (sizeBytes: number): string => `${sizeBytes / (1024 * 1024)} MiB`

/** The file of a bundle that describes all others. */
export const manifestPath = 'manifest.json'

/** A file of a bundle as its manifest describes it. */
export const bundleFileSchema = z.strictObject({
  path: z.string().describe('below the checkout, with `/`'),
  mode: z.enum(['0644', '0755']).describe('asar itself keeps no modes'),
  sizeBytes: z.int().nonnegative(),
  sha256: sha256Schema,
})

export type BundleFile = z.infer<typeof bundleFileSchema>

/** Where an item of a cache is in a bundle. */
export const itemPath = (sha256: string): string => `blobs/${sha256.slice(0, 2)}/${sha256}`

/** Whether a path in a bundle is that of an item of a cache. */
export const isItemPath = (path: string): boolean => {
  const sha256 = path.slice(path.lastIndexOf('/') + 1)
  return isSha256(sha256) && path === itemPath(sha256)
}

/** An item of a cache as a manifest describes it. */
export const itemSchema = bundleFileSchema
  .extend({
    mode: z.literal('0644'),
    label: z.string().min(1).max(300).describe('what it is called, such as `nginx 1.26.3-3+deb13u1`; for people only'),
  })
  .refine(({ path, sha256 }) => path === itemPath(sha256), { error: 'must lie where its digest says', path: ['path'] })

export type BundleItem = z.infer<typeof itemSchema>

/** The version of pibake that wrote a bundle. */
export const writtenBy = z
  .string()
  .regex(/^[\w.+-]{1,40}$/, 'must be a version')
  .describe('the version that wrote it')

/** Text of others in a form that cannot steer a terminal: control and format characters escaped, at most 200 characters. */
export const showText = (text: string): string => {
  const shown = text.replaceAll(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`,
  )
  return shown.length <= 200 ? shown : `${shown.slice(0, 200)}…`
}

/** The refusal of a bundle: `BUNDLE_INVALID`, saying what it does (`holds a link`, `is cut off` …). */
export const refuseBundle = (
  file: string,
  what: string,
  options: { details?: readonly string[]; cause?: unknown; hint?: string } = {},
): PibakeError => {
  const { details = [], cause, hint = 'Nothing of it was written. Ask for it again where it came from.' } = options
  return new PibakeError('BUNDLE_INVALID', `The bundle \`${showText(file)}\` ${what}.`, {
    hint,
    details: details.map(showText),
    ...(cause === undefined ? {} : { cause }),
  })
}
