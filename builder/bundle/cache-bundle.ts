import { z } from 'zod'
import { isSha256 } from '../core/digest.ts'
import { type BundleKind, bundleFileSchema, writtenBy } from './bundle.ts'

/** A cache may hold images of systems; asar itself takes files of up to 4 GiB. */
const limits = { headerBytes: 64 * 1024 * 1024, totalBytes: 256 * 1024 * 1024 * 1024, entries: 100_000 }

const format = 'pibake-cache-1'

const cacheFile = bundleFileSchema.extend({
  mode: z.literal('0644'),
  label: z.string().min(1).max(300).describe('what it is called, such as `nginx 1.26.3-3+deb13u1`; for people only'),
})

const manifestSchema = z.strictObject({
  format: z.literal(format),
  pibake: writtenBy,
  files: z.array(cacheFile).max(limits.entries),
})

export type CacheManifest = z.infer<typeof manifestSchema>

/** Where an item of a cache is in a bundle. */
export const blobPathIn = (sha256: string): string => `blobs/${sha256.slice(0, 2)}/${sha256}`

const pathFault = (path: string): string | undefined => {
  const sha256 = path.slice(path.lastIndexOf('/') + 1)
  return isSha256(sha256) && path === blobPathIn(sha256) ? undefined : 'is no item of a cache'
}

/** Items of a cache: whatever was fetched, by digest. */
export const cacheBundle: BundleKind<CacheManifest> & { format: typeof format } = {
  format,
  schema: manifestSchema,
  limits,
  pathFault,
  madeBy: 'pibake cache export',
}
