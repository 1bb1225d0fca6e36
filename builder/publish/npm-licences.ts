import { readFile, writeFile } from 'node:fs/promises'
import { list } from 'tar'
import type { Blobs } from '../cache/blobs.ts'
import { derive } from '../cache/derived.ts'
import { runParallel } from '../cache/parallel.ts'
import { hashJson, type Sha256 } from '../core/digest.ts'
import { collectContent } from '../deb/read-tar.ts'
import type { Licence } from '../inspect/licence.ts'
import { readNpmLicence } from '../inspect/npm-licence.ts'
import type { LockedNpm } from '../lock/schema.ts'

const readAtOnce = 8

/** The licence in the package.json of a tarball; the first folder of the tarball may have any name. */
const readTarball = async (path: string): Promise<Licence> => {
  let manifest: unknown
  await list({
    file: path,
    onReadEntry: (entry) => {
      if (!/^[^/]+\/package\.json$/.test(entry.path)) return
      collectContent(entry, (bytes) => {
        manifest = JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, ''))
      })
    },
  })
  return readNpmLicence(manifest)
}

/**
 * The licences of npm packages by the digest of their tarballs; read once, for opening hundreds takes seconds. Throws
 * `MISSING_OFFLINE`, `CACHE_CORRUPT`.
 */
export const readNpmLicences = async (
  packages: readonly LockedNpm[],
  { blobs, signal }: { blobs: Blobs; signal: AbortSignal },
): Promise<ReadonlyMap<Sha256, Licence>> => {
  const unique = [...new Map(packages.map((item) => [item.sha256, item])).values()]
  if (unique.length === 0) return new Map()
  const key = hashJson(['npm licences 2', ...unique.map(({ sha256 }) => sha256).sort()])
  const file = await derive(
    blobs.folder,
    { key, label: 'the licences of the locked npm packages', signal },
    async (path) => {
      await blobs.verifyBlobs(
        unique.map((item) => ({ ...item, label: `${item.name} ${item.version}` })),
        { signal },
      )
      const found = await runParallel(unique, readAtOnce, async ({ sha256 }) => [
        sha256,
        await readTarball(blobs.blobPath(sha256)),
      ])
      await writeFile(path, JSON.stringify(found))
    },
  )
  return new Map(JSON.parse(await readFile(file.path, 'utf8')) as [Sha256, Licence][])
}
