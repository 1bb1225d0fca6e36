import { open, rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { unfinishedFolder } from '../core/project.ts'
import { makeScratch } from '../host/scratch.ts'
import { explainWrite } from '../kit/write-failure.ts'

/** Give a finished file, on the same disk, the name it is to have, and keep it even when the power goes. */
export const giveName = async (temporary: string, path: string): Promise<void> => {
  await rename(temporary, path)
  await using folder = await open(dirname(path), 'r')
  await folder.sync()
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
