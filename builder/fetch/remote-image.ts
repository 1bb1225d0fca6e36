import { link, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { openBlobs } from '../cache/blobs.ts'
import { PibakeError } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import { checksumFor, namesBeside } from '../image/beside.ts'
import { downloadAll } from './download.ts'
import { fetchText } from './text.ts'

/**
 * Bring an image from an address into the cache, and name it in `folder`, which is on the cache's file system, together
 * with its block map and its checksum where the server has them. Returns its path there. Throws `NETWORK`,
 * `DOWNLOAD_CORRUPT` for one that is not what its checksum says, `DISK_FULL`, `INTERRUPTED`.
 */
export const fetchImage = async (
  url: string,
  { project, folder, emit, signal }: { project: Project; folder: string; emit: Emit; signal: AbortSignal },
): Promise<string> => {
  const name = basename(new URL(url).pathname)
  const checksums = await fetchText(`${url}.sha256`, { signal })
  const sha256 = checksums === undefined ? undefined : checksumFor(checksums, name)
  const blobs = openBlobs(project.cache)
  const id = `download:${name}`
  const file = await runStep(emit, { id, title: `Download ${name}` }, async () => {
    const { done } = await downloadAll([{ label: name, urls: [url], sha256 }], { blobs, emit, stepId: id, signal })
    if (done[0]) return done[0]
    throw new PibakeError('NETWORK', `There is no image at \`${url}\`.`, { hint: 'Look whether it was moved.' })
  })
  const path = join(folder, name)
  await link(blobs.blobPath(file.sha256), path)
  if (checksums !== undefined) await writeFile(`${path}.sha256`, checksums)
  for (const beside of namesBeside(new URL(url).pathname)) {
    const map = await fetchText(new URL(`${beside}.bmap`, url).href, { signal })
    if (map === undefined) continue
    await writeFile(join(folder, `${basename(beside)}.bmap`), map)
    break
  }
  return path
}
