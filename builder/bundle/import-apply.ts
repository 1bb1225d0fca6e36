import { constants } from 'node:fs'
import { copyFile, mkdir, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf } from '../core/error.ts'
import type { Project } from '../core/project.ts'
import { type Change, checkWay } from './import-changes.ts'

type Undo = () => Promise<void>

/** Rename, or copy and remove where the two are on different file systems; `to` does not exist. */
const moveFile = async (from: string, to: string): Promise<void> => {
  try {
    await rename(from, to)
  } catch (error) {
    if (errnoOf(error) !== 'EXDEV') throw error
    await copyFile(from, to, constants.COPYFILE_EXCL)
    await rm(from)
  }
}

const makeFolders = async (project: Project, path: string, undo: Undo[]): Promise<void> => {
  if (await checkWay(project, path)) return
  const names = path.split('/').slice(0, -1)
  for (const [index] of names.entries()) {
    const folder = join(project.root, ...names.slice(0, index + 1))
    try {
      await mkdir(folder)
      undo.push(() => rmdir(folder))
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error
    }
  }
  await checkWay(project, path)
}

const applyChange = async (
  { path, state }: Change,
  options: { project: Project; staged: string; replaced: string; undo: Undo[] },
): Promise<void> => {
  const { project, staged, replaced, undo } = options
  const target = join(project.root, path)
  await makeFolders(project, path, undo)
  if (state !== 'new') {
    const aside = join(replaced, path)
    await mkdir(dirname(aside), { recursive: true })
    await moveFile(target, aside)
    undo.push(() => moveFile(aside, target))
  }
  if (state === 'extra') return
  await moveFile(join(staged, path), target)
  undo.push(() => rm(target))
}

/**
 * Carry changes out: all of them or, when one fails or `signal` fires, none. `staged` is the folder with the new files,
 * `replaced` one that takes the old ones.
 */
export const applyChanges = async (options: {
  project: Project
  changes: readonly Change[]
  staged: string
  replaced: string
  signal: AbortSignal
}): Promise<void> => {
  const undo: Undo[] = []
  try {
    for (const change of options.changes) {
      options.signal.throwIfAborted()
      if (change.state !== 'same') await applyChange(change, { ...options, undo })
    }
  } catch (error) {
    const failures: unknown[] = []
    for (const step of undo.reverse()) await step().catch((failure: unknown) => failures.push(failure))
    if (failures.length > 0) throw new AggregateError([error, ...failures], 'an import could not be taken back')
    throw error
  }
}
