import { z } from 'zod'
import { PibakeError } from '../core/error.ts'
import { sha256Schema } from '../lock/schema.ts'

/** What a bundle may be at most; anything larger is refused before memory or disk is given to it. */
export const bundleLimits = {
  /** The header, and the manifest. */
  headerBytes: 16 * 1024 * 1024,
  /** All files together, as their sizes are stated; content that several files share counts for each. */
  totalBytes: 512 * 1024 * 1024,
  /** Files and folders. */
  entries: 20_000,
} as const

/** The file of a bundle that describes all others. */
export const manifestPath = 'manifest.json'

/** Value of `format` in the manifests that this pibake writes and reads. */
export const bundleFormat = 'pibake-bundle-1'

const bundleFile = z.strictObject({
  path: z.string().describe('below the checkout, with `/`'),
  mode: z.enum(['0644', '0755']).describe('asar itself keeps no modes'),
  sizeBytes: z.int().nonnegative(),
  sha256: sha256Schema,
})

/** `manifest.json` of a bundle. It does not list itself. */
export const manifestSchema = z.strictObject({
  format: z.literal(bundleFormat),
  profile: z.string().regex(/^[a-z][a-z0-9-]*$/, 'must be the name of a profile'),
  pibake: z
    .string()
    .regex(/^[\w.+-]{1,40}$/, 'must be a version')
    .describe('the version that wrote it'),
  files: z.array(bundleFile).max(bundleLimits.entries),
})

export type BundleFile = z.infer<typeof bundleFile>
export type Manifest = z.infer<typeof manifestSchema>

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
