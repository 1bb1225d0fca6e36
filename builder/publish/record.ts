import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { errnoOf } from '../core/error.ts'
import type { Project } from '../core/project.ts'
import { sha256Schema } from '../lock/schema.ts'

const recordSchema = z.record(
  z.string(),
  z.object({ key: sha256Schema, sha256: sha256Schema, sizeBytes: z.int().nonnegative(), mtimeMs: z.number() }),
)

/** By file name: what was written beside an image, from what (`key`), and how to tell that it is still the same file. */
export type PublishedFiles = z.infer<typeof recordSchema>

const recordPath = (project: Project, stem: string): string => join(project.state, 'published', `${stem}.json`)

/** The files that were written beside the image `<stem>.img`. A damaged record counts as none: they are written anew. */
export const readPublished = async (project: Project, stem: string): Promise<PublishedFiles> => {
  try {
    return recordSchema.parse(JSON.parse(await readFile(recordPath(project, stem), 'utf8')))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError || error instanceof z.ZodError) return {}
    throw error
  }
}

/** Keep the record, whole or not at all. */
export const rememberPublished = async (project: Project, stem: string, files: PublishedFiles): Promise<void> => {
  const path = recordPath(project, stem)
  await mkdir(dirname(path), { recursive: true })
  const partial = `${path}.${randomUUID()}`
  await writeFile(partial, JSON.stringify(files))
  await rename(partial, path)
}

/** Whether the file at `path` is still the one that was recorded. */
export const isUnchanged = async (path: string, record: PublishedFiles[string]): Promise<boolean> => {
  const status = await stat(path).catch(() => undefined)
  return status?.size === record.sizeBytes && status.mtimeMs === record.mtimeMs
}
