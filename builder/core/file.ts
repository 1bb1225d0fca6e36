import { access, readFile } from 'node:fs/promises'
import { errnoOf } from './error.ts'

/** Whether there is something at a path that can be reached. */
export const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

/** The text of a file; undefined when there is none. Throws what reading it fails with otherwise. */
export const readIfThere = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
