import type { Blobs } from '../cache/blobs.ts'
import { type Emit, runStep } from '../core/event.ts'
import { formatBytes } from '../core/size.ts'
import { downloadAll } from './download.ts'
import type { DebianSource } from './indexes.ts'
import { fetchText } from './text.ts'

/** Debian's archives over the network, with the cache that their files end in. */
export const openDebianSource = (options: { blobs: Blobs; emit: Emit; signal?: AbortSignal }): DebianSource => {
  const { blobs, emit } = options
  const signal = options.signal ? { signal: options.signal } : {}
  return {
    readText: (url) => fetchText(url, signal),
    has: (sha256) => blobs.hasBlob(sha256),
    blobPath: (sha256) => blobs.blobPath(sha256),
    bring: async (wanted) => {
      const absent: (typeof wanted)[number][] = []
      for (const item of wanted) if (!(await blobs.hasBlob(item.sha256, item.sizeBytes))) absent.push(item)
      if (absent.length === 0) return []
      const [first] = absent
      const size = formatBytes(absent.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))
      const what = absent.length === 1 && first ? first.label : `${absent.length} files from Debian`
      const id = `download:${first?.sha256}`
      return runStep(emit, { id, title: `Download ${what} (${size})` }, async () => {
        const { missing } = await downloadAll(absent, { blobs, emit, stepId: id, ...signal })
        return missing
      })
    },
  }
}
