import { open, rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { unfinishedFolder } from '../core/project.ts'
import { makeScratch } from '../host/scratch.ts'
import { explainWrite } from '../kit/write-failure.ts'

/** Write a file that is at any time what it was or all of `text`, even when the power goes. Throws DISK_FULL, USAGE. */
export const replaceFile = async (path: string, text: string): Promise<void> => {
  try {
    await using scratch = await makeScratch(join(dirname(path), unfinishedFolder))
    const temporary = join(scratch.path, basename(path))
    await writeFile(temporary, text, { flush: true })
    await rename(temporary, path)
    await using folder = await open(dirname(path), 'r')
    await folder.sync()
  } catch (error) {
    throw explainWrite(error, path)
  }
}
