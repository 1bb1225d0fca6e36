import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSha256, type Sha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import { digestFolder } from '../host/digest-folder.ts'
import type { Tools } from '../host/sandbox.ts'
import { makeScratch } from '../host/scratch.ts'

/** What is recorded of a sealed layer. */
export interface LayerRecord {
  key: Sha256
  /** The step that made it, as the plan names it. */
  step: string
  /** SHA-256 over the layer's canonical tar: names, modes, owners, times, links, extended attributes, content. */
  digest: Sha256
}

const recordName = 'layer.json'

/** Where the sealed layer of a key is; its files are below `upper`. */
const layerFolder = (cache: string, key: Sha256): string => join(cache, 'layers', key)

/** The lower folder for overlayfs of a sealed layer. */
export const layerRoot = (cache: string, key: Sha256): string => join(layerFolder(cache, key), 'upper')

/** The record of a sealed layer; undefined where there is none that can be used. */
export const readLayer = async (cache: string, key: Sha256): Promise<LayerRecord | undefined> => {
  try {
    const record = JSON.parse(await readFile(join(layerFolder(cache, key), recordName), 'utf8')) as LayerRecord
    return record.key === key && isSha256(record.digest) ? record : undefined
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

/**
 * Seal a finished upper folder as the layer of `key`: it is moved into the cache together with its record, whole or not
 * at all. When another bake has sealed the same key meanwhile, its layer stays and this one is dropped.
 */
export const sealLayer = async (options: {
  tools: Tools
  cache: string
  /** Folder holding `upper`, on the cache's file system. */
  folder: string
  key: Sha256
  step: string
  signal?: AbortSignal
}): Promise<LayerRecord> => {
  const { tools, cache, folder, key, step, signal } = options
  await rm(join(folder, 'work'), { recursive: true, force: true })
  const record: LayerRecord = {
    key,
    step,
    digest: await digestFolder(tools, join(folder, 'upper'), signal ? { signal } : {}),
  }
  await writeFile(join(folder, recordName), `${JSON.stringify(record, null, 2)}\n`)
  await mkdir(join(cache, 'layers'), { recursive: true })
  await placeLayer(cache, folder, key)
  return record
}

/** Move a whole layer to its place; what is there without a usable record gives way. */
const placeLayer = async (cache: string, folder: string, key: Sha256): Promise<void> => {
  for (;;) {
    try {
      await rename(folder, layerFolder(cache, key))
      return
    } catch (error) {
      if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'EEXIST') throw error
    }
    if (await readLayer(cache, key)) {
      await rm(folder, { recursive: true, force: true })
      return
    }
    await dropLayer(cache, key)
  }
}

/**
 * Compare a sealed layer with its digest before it is built upon. Throws `CACHE_CORRUPT` naming the layer, which is set
 * aside so that the next bake makes it anew.
 */
export const verifyLayer = async (
  tools: Tools,
  cache: string,
  record: LayerRecord,
  signal?: AbortSignal,
): Promise<void> => {
  const digest = await digestFolder(tools, layerRoot(cache, record.key), signal ? { signal } : {})
  if (digest === record.digest) return
  await dropLayer(cache, record.key)
  throw new PibakeError(
    'CACHE_CORRUPT',
    `In the cache, the layer of step \`${record.step}\` (\`${layerFolder(cache, record.key)}\`) is not what was sealed.`,
    {
      hint: 'It was dropped; run the same command again to make it anew. Check the disk if this happens more than once.',
    },
  )
}

/** Keys of all sealed layers. */
export const listLayers = async (cache: string): Promise<Sha256[]> => {
  const names = await readdir(join(cache, 'layers')).catch(() => [])
  const kept: Sha256[] = []
  for (const name of names) {
    if (await stat(join(cache, 'layers', name, recordName)).catch(() => undefined)) kept.push(name as Sha256)
  }
  return kept
}

/** Drop one sealed layer: at once and whole, so that nothing half-removed ever counts as a layer. */
export const dropLayer = async (cache: string, key: Sha256): Promise<void> => {
  await using trash = await makeScratch(join(cache, 'work'))
  await rename(layerFolder(cache, key), join(trash.path, 'layer')).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
  })
}
