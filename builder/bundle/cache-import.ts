import { constants } from 'node:fs'
import { lstat, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { openBlobs } from '../cache/blobs.ts'
import { isSha256, type Sha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import { itemPath, showText } from './bundle.ts'
import { openBundle } from './bundle-open.ts'
import { cacheBundle } from './cache-bundle.ts'
import { lacking, type Offered, takeItems } from './take-items.ts'

/** What came of an import. */
export interface ImportedCache {
  /** Items that came, or would come. */
  added: { sha256: Sha256; sizeBytes: number; label: string }[]
  /** Items that were here already. */
  present: number
  /** Items that are not what their digests say: nothing of them was taken. */
  refused: string[]
  /** Things in a folder that are no items of a cache, links among them. */
  ignored: number
}

/** Another cache, open. */
interface Source extends AsyncDisposable {
  items: Offered[]
  ignored: number
}

const openFile = async (file: string): Promise<Source> => {
  const bundle = await openBundle(file, cacheBundle)
  return {
    items: bundle.manifest.files.map((entry) => ({
      ...{ sha256: entry.sha256, sizeBytes: entry.sizeBytes, label: showText(entry.label) },
      read: () => bundle.read(entry),
    })),
    ignored: 0,
    [Symbol.asyncDispose]: () => bundle[Symbol.asyncDispose](),
  }
}

/** The bytes of a file of strangers: no link, no pipe, and no more of it than it was said to have. */
async function* readPlain(path: string, sizeBytes: number): AsyncGenerator<Uint8Array> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  const status = await file.stat()
  if (!status.isFile() || status.size !== sizeBytes) throw new Error('it has changed')
  if (sizeBytes > 0) yield* file.createReadStream({ autoClose: false, end: sizeBytes - 1, highWaterMark: 1 << 20 })
}

const list = async (folder: string) => {
  try {
    return (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}

/** The items below a folder: a cache, an exported one, or a checkout with a cache in it. */
const openFolder = async (folder: string, labels: ReadonlyMap<Sha256, string>): Promise<Source> => {
  const places = [folder, join(folder, 'packages-cache')]
  for (const place of places) {
    const shelves = await list(join(place, 'blobs'))
    if (!shelves) continue
    const items: Offered[] = []
    let ignored = 0
    for (const shelf of shelves) {
      const entries = shelf.isDirectory() ? ((await list(join(place, 'blobs', shelf.name))) ?? []) : []
      if (!shelf.isDirectory()) ignored += 1
      for (const { name, ...entry } of entries.map((found) => ({ name: found.name, isFile: found.isFile() }))) {
        const path = join(place, 'blobs', shelf.name, name)
        if (!entry.isFile || !isSha256(name) || path !== join(place, itemPath(name))) {
          ignored += 1
          continue
        }
        const { size: sizeBytes } = await lstat(path)
        items.push({ sha256: name, sizeBytes, label: labels.get(name) ?? name, read: () => readPlain(path, sizeBytes) })
      }
    }
    return { items, ignored, [Symbol.asyncDispose]: async () => {} }
  }
  throw new PibakeError('USAGE', `\`${folder}\` is no cache: it has no folder \`blobs\`.`, {
    hint: 'Name a file or a folder that `pibake cache export` made, or the folder `packages-cache` of a checkout.',
  })
}

const openSource = async (path: string, labels: ReadonlyMap<Sha256, string>): Promise<Source> => {
  const status = await lstat(path).catch(() => undefined)
  return status?.isDirectory() ? openFolder(path, labels) : openFile(path)
}

/**
 * Merge another cache into this one. Only what is named by a digest and is what the digest says comes in, each item whole
 * or not at all, so that an interrupted import goes on when it is run again. `labels` says what digests are called here.
 * Throws `BUNDLE_INVALID` for a file that is not what `pibake cache export` makes, `USAGE`, `DISK_FULL`.
 */
export const importCache = async (options: {
  project: Project
  path: string
  labels: ReadonlyMap<Sha256, string>
  dryRun: boolean
  emit: Emit
  signal: AbortSignal
}): Promise<ImportedCache> => {
  const { project, path, labels, dryRun, emit, signal } = options
  const blobs = openBlobs(project.cache)
  await using source = await openSource(path, labels)
  const wanted = await lacking(source.items, blobs)
  const present = source.items.length - wanted.length
  const toAdded = ({ sha256, sizeBytes, label }: Offered) => ({ sha256, sizeBytes, label })
  if (dryRun) return { added: wanted.map(toAdded), present, refused: [], ignored: source.ignored }
  const { added, refused } = await takeItems(wanted, { blobs, folder: project.root, emit, signal })
  return {
    added: added.map(toAdded),
    present,
    refused: refused.map(({ label, sha256 }) => `${label} (${sha256})`),
    ignored: source.ignored,
  }
}
