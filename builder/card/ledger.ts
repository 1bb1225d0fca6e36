import { mkdir, open, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Project } from '../core/project.ts'
import { explainWrite } from '../core/write-failure.ts'
import { spawnCommand } from '../host/command.ts'

const entrySchema = z.object({
  /** When the card was finished, ISO 8601. */
  time: z.string(),
  hostname: z.string(),
  role: z.string().optional(),
  image: z.object({ name: z.string(), sha256: z.string(), sizeBytes: z.number() }),
  device: z.object({ name: z.string(), model: z.string(), serial: z.string(), sizeBytes: z.number() }),
})

/** One card that was written, without anything secret. */
export type LedgerEntry = z.output<typeof entrySchema>

/** The ledger of a checkout: beside its images, as it is to outlive what pibake can make anew. */
export const ledgerPath = ({ images }: Project): string => join(images, 'cards.jsonl')

/** Cards that were written, oldest first. A line that a power cut left unfinished counts as none. */
export const readLedger = async (path: string): Promise<LedgerEntry[]> => {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return ''
    throw error
  })
  return text.split('\n').flatMap((line) => {
    try {
      return [entrySchema.parse(JSON.parse(line))]
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof z.ZodError) return []
      throw error
    }
  })
}

/** Add a card: one line, on the disk when this returns. Throws DISK_FULL, USAGE. */
export const appendLedger = async (path: string, entry: LedgerEntry): Promise<void> => {
  try {
    await mkdir(dirname(path), { recursive: true })
    await using file = await open(path, 'a+')
    const { size } = await file.stat()
    const last = size === 0 ? undefined : (await file.read(Buffer.alloc(1), 0, 1, size - 1)).buffer
    const start = last === undefined || last.toString() === '\n' ? '' : '\n'
    await file.appendFile(`${start}${JSON.stringify(entry)}\n`)
    await file.sync()
  } catch (error) {
    throw explainWrite(error, path)
  }
}

/**
 * Be the only one who names cards from now on until the result is disposed, or this process ends in any way: the kernel
 * holds the lock (flock(1), of util-linux). Throws BUSY when somebody else is.
 */
export const lockLedger = async (path: string): Promise<AsyncDisposable> => {
  await mkdir(dirname(path), { recursive: true })
  const holder = spawnCommand(['flock', '--nonblock', path, 'sh', '-c', 'echo held; exec cat >/dev/null'])
  const said = new Promise<undefined>((resolve) => {
    holder.stdout.once('data', () => resolve(undefined))
  })
  const ended = await Promise.race([said, holder])
  if (ended?.exitCode === 1) {
    throw new PibakeError('BUSY', 'Another pibake is giving cards their names.', {
      hint: 'Let it finish, or name all drives in one command: `--to sdb sdc`.',
    })
  }
  if (ended) throw new Error(`flock ended with status ${ended.exitCode}: ${ended.message ?? ''}`)
  return {
    [Symbol.asyncDispose]: async () => {
      holder.stdin.end()
      await holder
    },
  }
}
