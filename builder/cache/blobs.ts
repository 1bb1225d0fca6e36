import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Sha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import { explainFailure, interrupted } from './failure.ts'
import { type IncomingBlob, openIncoming } from './incoming.ts'
import { runParallel } from './parallel.ts'
import { type Supply, takeIn } from './supply.ts'
import { checkContent, corruptError, missingError, setAside, type Wanted } from './verify.ts'

/** A file in the store. */
export interface BlobInfo {
  sha256: Sha256
  sizeBytes: number
}

interface VerifyOptions {
  signal?: AbortSignal
  emit?: Emit
  /** The caller's step, when progress of the reading is to be told for it. */
  stepId?: string
}

/** A blob being written that ends in the store when `commit` finds its digest right. */
export interface NewBlob extends IncomingBlob {
  /**
   * Check the digest and store the file under it. Throws `DOWNLOAD_CORRUPT` for another one and `DISK_FULL`; nothing is
   * then there under the final name.
   */
  commit(expected?: Sha256): Promise<BlobInfo>
}

/** The content-addressed store of one cache folder. */
export interface Blobs {
  /** The cache folder. */
  readonly folder: string
  /** Where the blob is or would be: `blobs/<first two digits>/<sha256>`. */
  blobPath(sha256: Sha256): string
  /** Whether the blob is there, or in the supply, with that size, or at all when the size is not known. Does not read it. */
  hasBlob(sha256: Sha256, sizeBytes?: number): Promise<boolean>
  /** Where a blob is, in the store or in the supply; undefined when it is in neither. Does not read it. */
  findBlob(sha256: Sha256): Promise<string | undefined>
  /** The size of a blob in the store in bytes, undefined when it is not there. */
  blobSize(sha256: Sha256): Promise<number | undefined>
  /**
   * Read the blob and return its path when its content is right. Throws `CACHE_CORRUPT`, after moving it aside, or
   * `MISSING_OFFLINE`. What is not there is taken in from the supply.
   */
  verifyBlob(sha256: Sha256, sizeBytes: number | undefined, label: string, signal?: AbortSignal): Promise<string>
  /** Verify many; what is wrong with any of them comes in one error. */
  verifyBlobs(wanted: readonly Wanted[], options?: VerifyOptions): Promise<void>
  /** Copy a file into the store. Throws `DOWNLOAD_CORRUPT` when its digest is not `expected`. */
  importFile(path: string, expected?: Sha256, signal?: AbortSignal): Promise<BlobInfo>
  /** Begin to write a blob, or go on with one that was kept under `resumeKey`. Use with `await using`. */
  beginBlob(options?: { label?: string; resumeKey?: string }): Promise<NewBlob>
}

const verifyParallel = 4

/**
 * Open the store of a cache folder; nothing is made until something is written. What it lacks and `supply` has counts as
 * there, and is copied into it when it is verified.
 */
export const openBlobs = (folder: string, supply?: Supply): Blobs => {
  const blobPath = (sha256: Sha256): string => join(folder, 'blobs', sha256.slice(0, 2), sha256)

  const blobSize = async (sha256: Sha256): Promise<number | undefined> => {
    try {
      const status = await stat(blobPath(sha256))
      return status.isFile() ? status.size : undefined
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
      throw error
    }
  }

  const verifyBlobs = async (wanted: readonly Wanted[], options: VerifyOptions = {}): Promise<void> => {
    const { signal, emit, stepId } = options
    if (supply) await takeIn(wanted, { supply, blobs: { blobSize, importFile }, ...options })
    const total = wanted.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0)
    let done = 0
    const verdicts = await runParallel(wanted, verifyParallel, async (item) => {
      if (signal?.aborted) throw interrupted()
      const path = blobPath(item.sha256)
      const verdict = await checkContent(path, item, signal).catch((error: unknown) => {
        throw explainFailure(error, item.label, signal)
      })
      done += item.sizeBytes ?? 0
      if (stepId !== undefined) {
        emit?.({ type: 'step-progress', id: stepId, done, total, unit: 'bytes', note: item.label })
      }
      const movedAside = verdict === 'corrupt' && (await setAside(folder, path))
      return { ...item, verdict, movedAside }
    })
    const corrupt = verdicts.filter(({ verdict }) => verdict === 'corrupt')
    const missing = verdicts.filter(({ verdict }) => verdict === 'missing')
    if (corrupt.length > 0) throw corruptError(corrupt, missing)
    if (missing.length > 0) throw missingError(missing)
  }

  const beginBlob: Blobs['beginBlob'] = async ({ label = 'a file', resumeKey } = {}) => {
    try {
      const incoming = await openIncoming(join(folder, 'incoming'), resumeKey)
      return newBlob(incoming, label, blobPath)
    } catch (error) {
      throw explainFailure(error, label)
    }
  }

  const importFile: Blobs['importFile'] = async (path, expected, signal) => {
    await using blob = await beginBlob({ label: path })
    try {
      for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, ...(signal ? { signal } : {}) })) {
        await blob.write(chunk as Uint8Array)
      }
    } catch (error) {
      throw explainFailure(error, path, signal)
    }
    return await blob.commit(expected)
  }

  return {
    folder,
    blobPath,
    blobSize,
    verifyBlobs,
    beginBlob,
    importFile,
    findBlob: async (sha256) =>
      (await blobSize(sha256)) === undefined ? (await supply?.find(sha256))?.path : blobPath(sha256),
    hasBlob: async (sha256, sizeBytes) => {
      const found = (await blobSize(sha256)) ?? (await supply?.find(sha256))?.sizeBytes
      return found !== undefined && (sizeBytes === undefined || found === sizeBytes)
    },
    verifyBlob: async (sha256, sizeBytes, label, signal) => {
      await verifyBlobs([{ sha256, sizeBytes, label }], signal ? { signal } : {})
      return blobPath(sha256)
    },
  }
}

const newBlob = (incoming: IncomingBlob, label: string, blobPath: (sha256: Sha256) => string): NewBlob => {
  const explained = async (work: Promise<void>): Promise<void> => {
    await work.catch((error: unknown) => {
      throw explainFailure(error, label)
    })
  }
  return {
    get sizeBytes() {
      return incoming.sizeBytes
    },
    write: (chunk) => explained(incoming.write(chunk)),
    restart: () => explained(incoming.restart()),
    digests: () => incoming.digests(),
    moveTo: (path) => explained(incoming.moveTo(path)),
    keep: () => incoming.keep(),
    commit: async (expected) => {
      const { sha256 } = incoming.digests()
      if (expected !== undefined && sha256 !== expected) throw wrongDigest(label, expected, sha256)
      await explained(incoming.moveTo(blobPath(sha256)))
      return { sha256, sizeBytes: incoming.sizeBytes }
    },
    [Symbol.asyncDispose]: () => incoming[Symbol.asyncDispose](),
  }
}

const wrongDigest = (label: string, expected: Sha256, found: Sha256): PibakeError =>
  new PibakeError('DOWNLOAD_CORRUPT', `\`${label}\` has the sha256 ${found}, not the expected ${expected}.`, {
    hint: 'Fetch the file again; if it was changed on purpose, pin its new digest.',
  })
