import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { hashFile, isSha256, type Sha256 } from '../core/digest.ts'
import { errnoOf } from '../core/error.ts'
import { makeScratch } from '../host/scratch.ts'
import { explainFailure } from './failure.ts'
import { checkContent, corruptError, setAside } from './verify.ts'

/** A file that was computed from other content and can be computed again. */
export interface DerivedFile {
  /** Absolute path; not to be changed. */
  path: string
  sha256: Sha256
  sizeBytes: number
  /** Whether it was there already. */
  cached: boolean
}

const recordSchema = z.object({
  label: z.string(),
  sha256: z.string().refine(isSha256),
  sizeBytes: z.int().nonnegative(),
})

/** What is kept beside a derived file. */
export type DerivedRecord = z.infer<typeof recordSchema>

const fileName = 'file'
const recordName = 'record.json'

/** Where derived files live: `derived/<key>/file`, with the digest of the file in `derived/<key>/record.json`. */
export const derivedFolder = (cacheFolder: string): string => join(cacheFolder, 'derived')

/** The record of one derived file; undefined when there is none that can be used. */
export const readDerivedRecord = async (cacheFolder: string, key: string): Promise<DerivedRecord | undefined> => {
  try {
    const text = await readFile(join(derivedFolder(cacheFolder), key, recordName), 'utf8')
    return recordSchema.safeParse(JSON.parse(text)).data
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR' || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Where the file of one key is. */
const derivedPath = (cacheFolder: string, key: string): string => join(derivedFolder(cacheFolder), key, fileName)

/** Read a derived file; a damaged one is moved aside and ends in `CACHE_CORRUPT`, so that the next run makes it anew. */
export const verifyDerived = async (
  cacheFolder: string,
  key: string,
  signal?: AbortSignal,
): Promise<DerivedFile | undefined> => {
  const record = await readDerivedRecord(cacheFolder, key)
  if (record === undefined) return undefined
  const path = derivedPath(cacheFolder, key)
  const verdict = await checkContent(path, record, signal).catch((error: unknown) => {
    throw explainFailure(error, record.label, signal)
  })
  if (verdict === 'missing') return undefined
  if (verdict === 'corrupt') {
    const movedAside = await setAside(cacheFolder, join(derivedFolder(cacheFolder), key))
    throw corruptError([{ ...record, movedAside }])
  }
  return { path, sha256: record.sha256, sizeBytes: record.sizeBytes, cached: true }
}

/**
 * The file that `produce` writes to the path it is given, made once for each `key` (which must cover everything the file
 * depends on). Throws what `produce` throws, `DISK_FULL`, and `CACHE_CORRUPT` as `verifyDerived`.
 */
export const derive = async (
  cacheFolder: string,
  options: { key: Sha256; label: string; signal?: AbortSignal },
  produce: (path: string) => Promise<void>,
): Promise<DerivedFile> => {
  const { key, label, signal } = options
  const present = await verifyDerived(cacheFolder, key, signal)
  if (present) return present
  try {
    await using scratch = await makeScratch(join(cacheFolder, 'work'))
    const work = join(scratch.path, 'derived')
    await mkdir(work)
    await produce(join(work, fileName))
    const record = await sealFile(join(work, fileName), label, signal)
    await writeFile(join(work, recordName), JSON.stringify(record), { flush: true })
    await placeFolder(work, join(derivedFolder(cacheFolder), key))
    return { path: derivedPath(cacheFolder, key), sha256: record.sha256, sizeBytes: record.sizeBytes, cached: false }
  } catch (error) {
    throw explainFailure(error, label, signal)
  }
}

/** Forget a derived file, if it is there. */
export const dropDerived = async (cacheFolder: string, key: Sha256): Promise<void> => {
  await rm(join(derivedFolder(cacheFolder), key), { recursive: true, force: true })
}

const sealFile = async (path: string, label: string, signal?: AbortSignal): Promise<DerivedRecord> => {
  await using file = await open(path, 'r+')
  await file.chmod(0o644)
  await file.sync()
  const { size } = await stat(path)
  return { label, sha256: await hashFile(path, signal ? { signal } : {}), sizeBytes: size }
}

/** Move a whole folder to its place; what is there without a usable record, or made meanwhile by another, gives way. */
const placeFolder = async (from: string, to: string): Promise<void> => {
  await mkdir(join(to, '..'), { recursive: true })
  for (;;) {
    try {
      await rename(from, to)
      return
    } catch (error) {
      if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'EEXIST' && errnoOf(error) !== 'ENOTDIR') throw error
    }
    const old = `${from}.old`
    await rename(to, old).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error
    })
    await rm(old, { recursive: true, force: true })
  }
}
