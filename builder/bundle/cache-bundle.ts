import { z } from 'zod'
import { type BundleKind, isItemPath, itemSchema, writtenBy } from './bundle.ts'

const limits = { headerBytes: 64 * 1024 * 1024, totalBytes: 64 * 1024 * 1024, entries: 100_000 }

const format = 'pibake-cache-1'

const manifestSchema = z.strictObject({
  format: z.literal(format),
  pibake: writtenBy,
  files: z.array(itemSchema).max(limits.entries),
})

export type CacheManifest = z.infer<typeof manifestSchema>

/** Items of a cache: whatever was fetched, by digest. */
export const cacheBundle: BundleKind<CacheManifest> & { format: typeof format } = {
  format,
  schema: manifestSchema,
  limits,
  pathFault: (path) => (isItemPath(path) ? undefined : 'is no item of a cache'),
  madeBy: 'pibake cache export',
}
