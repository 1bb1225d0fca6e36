import { open, rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { unfinishedFolder } from '../core/project.ts'
import { makeScratch } from '../host/scratch.ts'

/** Write a file that is at any time what it was or all of `text`, even when the power goes. */
export const replaceFile = async (path: string, text: string): Promise<void> => {
  await using scratch = await makeScratch(join(dirname(path), unfinishedFolder))
  const temporary = join(scratch.path, basename(path))
  await writeFile(temporary, text, { flush: true })
  await rename(temporary, path)
  await using folder = await open(dirname(path), 'r')
  await folder.sync()
}
