import { open, rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { hashFile, type Sha256 } from '../core/digest.ts'
import { unfinishedFolder } from '../core/project.ts'
import { explainWrite } from '../core/write-failure.ts'
import { makeScratch } from './scratch.ts'

/** Have the kernel put on the disk which files a folder holds. */
export const syncFolder = async (path: string): Promise<void> => {
  await using folder = await open(path, 'r')
  await folder.sync()
}

/** Give a finished file, on the same disk, the name it is to have, and keep it even when the power goes. */
const giveName = async (temporary: string, path: string): Promise<void> => {
  await rename(temporary, path)
  await syncFolder(dirname(path))
}

/** Write a file that is at any time what it was or all of `text`, even when the power goes. Throws DISK_FULL, USAGE. */
export const replaceFile = async (path: string, text: string): Promise<void> => {
  try {
    await using scratch = await makeScratch(join(dirname(path), unfinishedFolder))
    const temporary = join(scratch.path, basename(path))
    await writeFile(temporary, text, { flush: true })
    await giveName(temporary, path)
  } catch (error) {
    throw explainWrite(error, path)
  }
}

/**
 * Have `write` make a file in a scratch folder, which goes when it fails, and give it the name `destination` when its
 * bytes are on the disk. Returns its size and digest. Throws DISK_FULL, USAGE, INTERRUPTED and what `write` does.
 */
export const writeWhole = async (
  destination: string,
  write: (partial: string) => Promise<void>,
  options: { signal?: AbortSignal },
): Promise<{ sizeBytes: number; sha256: Sha256 }> => {
  await using scratch = await makeScratch(join(dirname(destination), unfinishedFolder)).catch((error: unknown) => {
    throw explainWrite(error, destination)
  })
  const partial = join(scratch.path, basename(destination))
  await write(partial)
  await using file = await open(partial, 'r')
  await file.sync()
  const sha256 = await hashFile(partial, options)
  await giveName(partial, destination)
  return { sizeBytes: (await file.stat()).size, sha256 }
}
