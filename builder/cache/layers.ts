import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Sha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import { digestFolder } from '../host/digest-folder.ts'
import type { Tools } from '../host/sandbox.ts'

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

/** The record of a sealed layer, or undefined where there is none. */
export const readLayer = async (cache: string, key: Sha256): Promise<LayerRecord | undefined> => {
  try {
    return JSON.parse(await readFile(join(layerFolder(cache, key), recordName), 'utf8')) as LayerRecord
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    if (error instanceof SyntaxError) throw corrupt(cache, key, 'its record')
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
  try {
    await rename(folder, layerFolder(cache, key))
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'EEXIST') throw error
    await rm(folder, { recursive: true, force: true })
  }
  return record
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
  await rm(layerFolder(cache, record.key), { recursive: true, force: true })
  throw corrupt(cache, record.key, `the layer of step \`${record.step}\``)
}

const corrupt = (cache: string, key: Sha256, what: string): PibakeError =>
  new PibakeError('CACHE_CORRUPT', `In the cache, ${what} (\`${layerFolder(cache, key)}\`) is not what was sealed.`, {
    hint: 'It was dropped; run the same command again to make it anew. Check the disk if this happens more than once.',
  })

/** Keys of all sealed layers. */
export const listLayers = async (cache: string): Promise<Sha256[]> => {
  const names = await readdir(join(cache, 'layers')).catch(() => [])
  const kept: Sha256[] = []
  for (const name of names) {
    if (await stat(join(cache, 'layers', name, recordName)).catch(() => undefined)) kept.push(name as Sha256)
  }
  return kept
}

/** Drop one sealed layer. */
export const dropLayer = (cache: string, key: Sha256): Promise<void> =>
  rm(layerFolder(cache, key), { recursive: true, force: true })
