import { lstat } from 'node:fs/promises'
import { errnoOf } from '../core/error.ts'
import type { FileContent } from './offer.ts'

const absent: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'EACCES'])

/** A plain file as it is now; undefined for what is none, such as a link, or has another size than `sizeBytes`. */
export const fileContent = async (
  path: string,
  options: Partial<Pick<FileContent, 'sha256' | 'sizeBytes' | 'isVerified'>> = {},
): Promise<FileContent | undefined> => {
  const status = await lstat(path).catch((error: unknown) => {
    if (absent.has(errnoOf(error))) return undefined
    throw error
  })
  if (!status?.isFile()) return undefined
  if (options.sizeBytes !== undefined && options.sizeBytes !== status.size) return undefined
  return { kind: 'file', path, modifiedMs: status.mtimeMs, ...options, sizeBytes: status.size }
}
