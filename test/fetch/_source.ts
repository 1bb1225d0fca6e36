import type { Sha256 } from '../../builder/core/digest.ts'
import type { DebianSource } from '../../builder/fetch/indexes.ts'

/** A network and a cache in memory that count what is asked of them. */
export const fakeSource = (options: {
  /** Text files by address. */
  texts?: Readonly<Record<string, string>>
  /** Blobs that the cache has from the beginning. */
  cached?: readonly Sha256[]
  /** Blobs that no address has. */
  gone?: readonly Sha256[]
  blobPath?: (sha256: Sha256) => string
}) => {
  const { texts = {}, cached = [], gone = [], blobPath = (sha256) => `/nowhere/${sha256}` } = options
  const calls = { read: [] as string[], brought: [] as string[], urls: [] as string[] }
  const present = new Set(cached)
  const source: DebianSource = {
    readText: async (url) => {
      calls.read.push(url)
      return texts[url]
    },
    has: async (sha256) => present.has(sha256),
    bring: async (wanted) => {
      for (const { label, urls } of wanted) {
        calls.brought.push(label)
        calls.urls.push(...urls)
      }
      for (const { sha256 } of wanted) if (!gone.includes(sha256)) present.add(sha256)
      return wanted.filter(({ sha256 }) => gone.includes(sha256))
    },
    blobPath,
  }
  return { source, calls }
}
