import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Project } from '../core/project.ts'
import { readLock, readToolsLock } from './file.ts'
import type { Lock, ToolsLock } from './schema.ts'

/** A lock of the checkout, of a profile or of a tools tree. */
export type AnyLock = { file: string } & ({ kind: 'profile'; lock: Lock } | { kind: 'tools'; lock: ToolsLock })

const ending = '.lock.json'

/** Every lock of a checkout, sorted by file name. Throws `LOCK_INVALID` naming the file that is none. */
export const readAllLocks = async ({ locks }: Pick<Project, 'locks'>): Promise<AnyLock[]> => {
  const names = (await readdir(locks).catch(() => [])).filter((name) => name.endsWith(ending)).sort()
  const found: AnyLock[] = []
  for (const name of names) {
    const path = join(locks, name)
    const file = name.slice(0, -ending.length)
    if (name.startsWith('tools-')) {
      const lock = await readToolsLock(path)
      if (lock) found.push({ file, kind: 'tools', lock })
    } else {
      const lock = await readLock(path)
      if (lock) found.push({ file, kind: 'profile', lock })
    }
  }
  return found
}
