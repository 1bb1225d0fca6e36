import { chown, open, rename, rm, writeFile } from 'node:fs/promises'
import { errnoOf, PibakeError } from '../core/error.ts'
import { explainWrite } from '../core/write-failure.ts'
import type { Label } from './label.ts'
import { renderLabels } from './labels-page.ts'

/** A file of labels that grows with the cards that are done. */
export interface Sheet extends AsyncDisposable {
  /** Put a label on the sheet, before those with a higher `turn`. */
  add(label: Label, turn: number): Promise<void>
}

/** Whoever called `sudo`, since that person is to print it. */
const ownerOf = (env: NodeJS.ProcessEnv): { uid: number; gid: number } | undefined => {
  const [uid, gid] = [Number(env.SUDO_UID), Number(env.SUDO_GID)]
  return process.getuid?.() === 0 && Number.isInteger(uid) && Number.isInteger(gid) ? { uid, gid } : undefined
}

/**
 * Take the place for a sheet of labels, before any card is written. Only its owner may read it. It is at any time what it
 * was or has one label more; without any it goes when it is disposed. Throws USAGE, DISK_FULL; a file that is there is
 * not replaced, since its passwords are nowhere else.
 */
export const openSheet = async (path: string, image: string): Promise<Sheet> => {
  const labels: { label: Label; turn: number }[] = []
  const unfinished = `${path}.new`
  try {
    await using file = await open(path, 'wx', 0o600)
    await file.sync()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      const hint = 'Make the folder first, or name another file.'
      throw new PibakeError('USAGE', `There is no folder for \`${path}\`.`, { hint, cause: error })
    }
    if (errnoOf(error) !== 'EEXIST') throw explainWrite(error, path)
    throw new PibakeError('USAGE', `\`${path}\` is there already.`, {
      hint: 'It may hold passwords that are nowhere else: name another file, or print it and delete it.',
    })
  }
  let last: Promise<void> = Promise.resolve()
  const write = async (): Promise<void> => {
    await rm(unfinished, { force: true })
    const inTurn = labels.toSorted((a, b) => a.turn - b.turn).map(({ label }) => label)
    await writeFile(unfinished, renderLabels(inTurn, image), { flag: 'wx', mode: 0o600, flush: true })
    const owner = ownerOf(process.env)
    if (owner) await chown(unfinished, owner.uid, owner.gid)
    await rename(unfinished, path)
  }
  return {
    async add(label, turn) {
      labels.push({ label, turn })
      last = last.catch(() => undefined).then(write)
      await last.catch((error: unknown) => {
        throw explainWrite(error, path)
      })
    },
    [Symbol.asyncDispose]: async () => {
      await last.catch(() => undefined)
      await rm(unfinished, { force: true })
      if (labels.length === 0) await rm(path, { force: true })
    },
  }
}
