import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { isSha256, type Sha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import { formatBytes } from '../core/size.ts'
import type { Blobs } from './blobs.ts'
import { runParallel } from './parallel.ts'
import type { Wanted } from './verify.ts'

/** A place that a store takes in what it lacks. */
export interface Supply {
  /** The file that is to have this digest; undefined when there is none. It is not read. */
  find(sha256: Sha256): Promise<{ path: string; sizeBytes: number } | undefined>
}

/** Where a stick says what is on it, below its folder; written by `kit/`. */
export const stickIndex = 'kit/kit.json'

/** Of the index, only what is needed here. */
const indexSchema = z.object({
  files: z.array(
    z.object({ path: z.string(), sizeBytes: z.int().nonnegative(), sha256: z.custom<Sha256>((v) => isSha256(`${v}`)) }),
  ),
})

/** Open the stick at `folder`; its index is read when something is first asked for. */
export const openStick = (folder: string): Supply => {
  const read = async () => {
    const index = indexSchema.parse(JSON.parse(await readFile(join(folder, stickIndex), 'utf8')))
    return new Map(index.files.map(({ path, sha256, sizeBytes }) => [sha256, { path: join(folder, path), sizeBytes }]))
  }
  let files: ReturnType<typeof read> | undefined
  return {
    find: async (sha256) => {
      files ??= read().catch((cause: unknown) => {
        throw new PibakeError('KIT_INVALID', `\`${folder}\` does not say what is on it.`, {
          hint: 'Is the stick still in? `pibake kit verify` says whether it is whole.',
          cause,
        })
      })
      return (await files).get(sha256)
    },
  }
}

const unreadable = (label: string, path: string, cause: unknown): PibakeError =>
  new PibakeError('KIT_INVALID', `\`${label}\` cannot be taken from the stick (\`${path}\`).`, {
    hint: 'Is the stick still in? `pibake kit verify` reads all of it and names what is damaged.',
    details: [cause instanceof Error ? cause.message : String(cause)],
    cause,
  })

/** Errors of the stick rather than of the disk that is copied to. */
const ofTheStick: ReadonlySet<string | undefined> = new Set(['EIO', 'ENOENT', 'ENODEV', 'ENXIO', 'EBADMSG', 'EUCLEAN'])

/**
 * Copy into the store what it lacks and the supply has, each file checked against its digest on the way; one step, where
 * there is anything to copy. Throws `KIT_INVALID` for a file that is damaged or cannot be read there, `DISK_FULL`.
 */
export const takeIn = async (
  wanted: readonly Wanted[],
  options: {
    supply: Supply
    blobs: Pick<Blobs, 'blobSize' | 'importFile'>
    emit?: Emit
    signal?: AbortSignal
  },
): Promise<void> => {
  const { supply, blobs, emit = () => {}, signal } = options
  const lacking: { label: string; sha256: Sha256; path: string; sizeBytes: number }[] = []
  for (const { sha256, label } of new Map(wanted.map((item) => [item.sha256, item])).values()) {
    if ((await blobs.blobSize(sha256)) !== undefined) continue
    const file = await supply.find(sha256)
    if (file) lacking.push({ label, sha256, ...file })
  }
  if (lacking.length === 0) return
  const total = lacking.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const id = 'stick'
  const title = `Take ${lacking.length} files from the stick (${formatBytes(total)})`
  let done = 0
  await runStep(emit, { id, title }, () =>
    runParallel(lacking, 2, async ({ label, sha256, path, sizeBytes }) => {
      await blobs.importFile(path, sha256, signal).catch((cause: unknown) => {
        const isDamaged = cause instanceof PibakeError && cause.code === 'DOWNLOAD_CORRUPT'
        throw isDamaged || ofTheStick.has(errnoOf(cause)) ? unreadable(label, path, cause) : cause
      })
      done += sizeBytes
      emit({ type: 'step-progress', id, done, total, unit: 'bytes', note: label })
    }),
  )
}
