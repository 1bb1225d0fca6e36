import { z } from 'zod'
import { type BundleKind, bundleFileSchema, isItemPath, itemSchema, writtenBy } from './bundle.ts'
import { pathFault } from './bundle-path.ts'

const limits = { headerBytes: 16 * 1024 * 1024, totalBytes: 512 * 1024 * 1024, entries: 20_000 }

const format = 'pibake-bundle-1'

/** `manifest.json` of a bundle. It does not list itself. */
const manifestSchema = z.strictObject({
  format: z.literal(format),
  profile: z.string().regex(/^[a-z][a-z0-9-]*$/, 'must be the name of a profile'),
  pibake: writtenBy,
  files: z
    .array(bundleFileSchema.refine(({ path }) => !isItemPath(path), { error: 'must be a file of the checkout' }))
    .max(limits.entries),
  cache: z.array(itemSchema).max(limits.entries).optional().describe('what its locks name, where that was asked for'),
})

export type Manifest = z.infer<typeof manifestSchema>

/** A profile with its stages, overlays and locks and, where that was asked for, the packages. */
export const profileBundle: BundleKind<Manifest> & { format: typeof format } = {
  format,
  schema: manifestSchema,
  limits,
  pathFault: (path) => (isItemPath(path) ? undefined : pathFault(path)),
  madeBy: 'pibake export',
}
