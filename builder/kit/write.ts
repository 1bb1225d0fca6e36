import { mkdir, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runParallel } from '../cache/parallel.ts'
import { errnoOf } from '../core/error.ts'
import { explainWrite } from '../core/write-failure.ts'
import { syncFolder } from '../host/replace.ts'
import {
  assertFits,
  assertNoLinks,
  assertOurs,
  atOnce,
  findKept,
  foldersOf,
  readBefore,
  removeFormer,
  sweep,
} from './ground.ts'
import { kitPaths, refuseKit } from './manifest.ts'
import { isUnfinished } from './open.ts'
import type { SourceFile } from './source-file.ts'
import { copyChecked, writeNow } from './write-file.ts'

/** What is to be on a stick when it is finished. */
export interface KitPlan {
  files: readonly SourceFile[]
  /** The files that describe it, by path, in the order in which they are written, after all others. */
  texts: ReadonlyMap<string, string>
}

interface Amount {
  files: number
  sizeBytes: number
}

/** What writing a kit came to. */
export interface WriteResult {
  copied: Amount
  /** What was there already. */
  kept: Amount
  /** Files that were there and are of no use any more. */
  removed: number
}

export interface WriteOptions {
  /** Read what is there already rather than trust its size; after an interruption that is always done. */
  recheck: boolean
  onProgress: (progress: { done: number; total: number; note: string }) => void
  signal: AbortSignal
}

const amountOf = (files: readonly SourceFile[]): Amount => ({
  files: files.length,
  sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
})

const unfinishedText =
  'This stick is being written, or its writing was interrupted. Run the same `pibake kit` again: what is there is kept.\n'

/** Say on the stick itself that it is not whole, before anything on it changes. */
const markUnfinished = async (folder: string): Promise<void> => {
  const marker = join(folder, kitPaths.unfinished)
  await mkdir(dirname(marker), { recursive: true })
  await writeNow(marker, unfinishedText)
  await syncFolder(dirname(marker))
  await syncFolder(folder)
}

/** Everything is on the disk: only now it counts. */
const markFinished = async (folder: string): Promise<void> => {
  const marker = join(folder, kitPaths.unfinished)
  await rm(marker)
  await syncFolder(dirname(marker))
}

const writeTexts = async (folder: string, texts: KitPlan['texts']): Promise<void> => {
  for (const [path, text] of texts) {
    const temporary = join(folder, kitPaths.incoming, 'text')
    await writeNow(temporary, text)
    await rename(temporary, join(folder, path))
  }
}

const write = async (
  folder: string,
  plan: KitPlan,
  { recheck, onProgress, signal, onBegun }: WriteOptions & { onBegun: () => void },
): Promise<WriteResult> => {
  const { files, texts } = plan
  const paths = [...files.map(({ path }) => path), ...texts.keys()]
  await mkdir(folder, { recursive: true })
  await assertOurs(folder, paths)
  const readAll = recheck || (await isUnfinished(folder))
  await markUnfinished(folder)
  onBegun()
  const before = await readBefore(folder)
  const wanted = new Set([...paths, kitPaths.unfinished])
  const swept = await sweep(folder, wanted)
  await assertNoLinks(folder, paths)
  const removed = swept + (await removeFormer(folder, before, wanted))
  const kept = await findKept(folder, files, { before, readAll, onRead: onProgress, signal })
  const missing = files.filter(({ path }) => !kept.has(path))
  await assertFits(folder, missing)
  const incoming = join(folder, kitPaths.incoming)
  await mkdir(incoming)
  const { sizeBytes: total } = amountOf(missing)
  let done = 0
  await runParallel([...missing.entries()], atOnce, async ([index, file]) => {
    signal.throwIfAborted()
    const onBytes = (count: number): void => {
      done += count
      onProgress({ done, total, note: file.label })
    }
    await copyChecked(folder, file, { temporary: join(incoming, String(index)), onBytes, signal })
  })
  await writeTexts(folder, texts)
  await rmdir(incoming)
  for (const path of foldersOf(paths)) await syncFolder(join(folder, path))
  await markFinished(folder)
  return { copied: amountOf(missing), kept: amountOf(files.filter(({ path }) => kept.has(path))), removed }
}

/** A stick that stopped answering, as the kernel puts it; one that could be written turns read-only when its disk fails. */
const gone: ReadonlySet<string | undefined> = new Set(['EIO', 'ENODEV', 'ENXIO', 'EROFS', 'ESTALE', 'EUCLEAN'])

/**
 * Write a kit into a folder, or bring the one that is there up to date: what it has already stays, what it no longer
 * needs goes. Until all of it is on the disk, a marker says that it is not finished. Throws `USAGE` for a folder that
 * is something else, `DISK_FULL`, `CACHE_CORRUPT` for a source that is not what it should be, `KIT_INVALID` when the
 * stick stops answering.
 */
export const writeKit = async (folder: string, plan: KitPlan, options: WriteOptions): Promise<WriteResult> => {
  let isBegun = false
  const onBegun = (): void => {
    isBegun = true
  }
  try {
    return await write(folder, plan, { ...options, onBegun })
  } catch (error) {
    if (options.signal.aborted) throw options.signal.reason
    if (errnoOf(error) === 'ELOOP') throw refuseKit(folder, 'has a link in the place of a file', { cause: error })
    if (!isBegun || !gone.has(errnoOf(error))) throw explainWrite(error, folder)
    const hint =
      'Was it pulled out, or is it worn out? Put it in again and run the same command: what is there is kept.'
    throw refuseKit(folder, `could not be finished (${errnoOf(error)})`, { hint, cause: error })
  }
}
