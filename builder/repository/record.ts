import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { errnoOf, PibakeError } from '../core/error.ts'
import { sha256Schema } from '../lock/schema.ts'

/** Name of the file that says what a repository holds and who brought it. */
export const recordName = 'packages.json'

/** A path below a repository that leads nowhere else. */
const poolFile = z.string().regex(/^(?!.*\/\.{0,2}\/)pool\/[a-z0-9][A-Za-z0-9+.~%_/-]*\.deb$/, 'must lie in the pool')

const recordedDeb = z.strictObject({
  name: z.string().min(1),
  version: z.string().min(1),
  architecture: z.string().min(1),
  file: poolFile.describe('below the repository'),
  sizeBytes: z.int().nonnegative(),
  sha256: sha256Schema,
  from: z.string().min(1).describe('who brought it, as it was called when it was added'),
  maintainer: z.string().optional().describe('as the package says'),
})

const recordSchema = z.strictObject({
  format: z.literal('pibake-repository-1'),
  suite: z.string().regex(/^[a-z][a-z0-9-]*$/),
  timeSeconds: z.int().nonnegative().describe('of the newest thing in it'),
  architectures: z.array(z.string().regex(/^[a-z][a-z0-9-]*$/)),
  packages: z.array(recordedDeb),
})

/** A package of a repository. */
export type RecordedDeb = z.infer<typeof recordedDeb>

/** What a repository holds. */
export type RepositoryRecord = z.infer<typeof recordSchema>

/** The record of a new repository. */
export const newRecord = (suite: string): RepositoryRecord => ({
  format: 'pibake-repository-1',
  suite,
  timeSeconds: 0,
  architectures: [],
  packages: [],
})

/**
 * The record of the repository in a folder; undefined where there is none. Throws `CONFIG_INVALID` for one that pibake
 * has not written.
 */
export const readRecord = async (folder: string): Promise<RepositoryRecord | undefined> => {
  const path = join(folder, recordName)
  let cause: unknown
  try {
    const result = recordSchema.safeParse(JSON.parse(await readFile(path, 'utf8')))
    if (result.success) return result.data
    cause = result.error
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
    if (!(error instanceof SyntaxError)) throw error
    cause = error
  }
  throw new PibakeError('CONFIG_INVALID', `\`${path}\` is not what \`pibake deb\` writes.`, {
    hint: 'Name another folder with `--into`, or make the repository anew from its packages (`--add`).',
    cause,
  })
}

/** A record as text, in one order. */
export const formatRecord = (record: RepositoryRecord): string => {
  const packages = record.packages.toSorted((a, b) => (a.file < b.file ? -1 : 1))
  return `${JSON.stringify({ ...record, architectures: record.architectures.toSorted(), packages }, null, 2)}\n`
}
