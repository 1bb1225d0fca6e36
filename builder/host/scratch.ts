import { mkdir, mkdtemp, readdir, readFile, rm, rmdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { errnoOf } from '../core/error.ts'

/** A folder for one run's intermediate files; removed when it is disposed. */
export interface Scratch extends AsyncDisposable {
  path: string
}

/** When a process began, in clock ticks since boot (proc(5), field 22 of stat); undefined when there is none. */
const startOf = async (pid: string): Promise<string | undefined> => {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined
    throw error
  }
}

/** Environment variable with the owner's name, for the process that works in a process namespace of its own. */
export const ownerVariable = 'PIBAKE_OWNER'

/** How the scratch folders of this run are marked: the process that the user started, `<pid>.<start>`. */
export const scratchOwner = async (): Promise<string> =>
  process.env[ownerVariable] ?? `${process.pid}.${await startOf(String(process.pid))}`

const isScratchName = (name: string): boolean => /^\d+\.\d+\./.test(name)

/**
 * Make a scratch folder below `parent`, which may be another one. Its name says whose it is, so that `sweepScratch` can
 * tell.
 */
export const makeScratch = async (parent: string): Promise<Scratch> => {
  const path = await makeBelow(parent, `${await scratchOwner()}.`)
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await rm(path, { recursive: true, force: true })
      // The last one out takes the parent along, unless somebody owns that.
      if (!isScratchName(basename(parent))) await rmdir(parent).catch(() => undefined)
    },
  }
}

const makeBelow = async (parent: string, prefix: string): Promise<string> => {
  for (;;) {
    await mkdir(parent, { recursive: true })
    try {
      return await mkdtemp(join(parent, prefix))
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }
}

/**
 * Remove the scratch folders below `parent` whose owner has ended without doing so; returns how many there were. Those
 * of another user stay for that user's next command. Only where /proc shows the host's processes.
 */
export const sweepScratch = async (parent: string): Promise<number> => {
  const names = await readdir(parent).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  let swept = 0
  for (const name of names) {
    const [pid, start] = name.split('.')
    if (pid === undefined || start === undefined || !isScratchName(name)) continue
    if ((await startOf(pid)) === start) continue
    try {
      await rm(join(parent, name), { recursive: true, force: true })
      swept += 1
    } catch (error) {
      if (errnoOf(error) !== 'EACCES' && errnoOf(error) !== 'EPERM') throw error
    }
  }
  if (swept > 0) await rmdir(parent).catch(() => undefined)
  return swept
}
