import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSha256, type Sha256 } from '../core/digest.ts'
import type { Project } from '../core/project.ts'
import type { History, KeyedStep } from '../plan/plan.ts'

/** The image that the last bake of a profile wrote, and how to tell that it is still the same file. */
export interface ImageRecord {
  key: Sha256
  sha256: Sha256
}

/** By stage and version: the digest of what the version stood for when it was first baked, see `stage-versions.ts`. */
export type StageVersions = Readonly<Record<string, Readonly<Record<string, Sha256>>>>

interface Memory {
  steps: History
  versions?: StageVersions
  image?: ImageRecord & { sizeBytes: number; mtimeMs: number }
}

/** Where the image of a profile is written. */
export const imagePath = (project: Project, profile: string): string => join(project.images, `${profile}.img`)

const memoryPath = (project: Project, profile: string): string => join(project.state, 'history', `${profile}.json`)

const readMemory = async (project: Project, profile: string): Promise<Memory> => {
  const text = await readFile(memoryPath(project, profile), 'utf8').catch(() => '')
  try {
    const memory = JSON.parse(text) as Partial<Memory>
    return { ...memory, steps: memory.steps ?? {} }
  } catch {
    // Only durations, reasons and notices are lost with a damaged history.
    return { steps: {} }
  }
}

const writeMemory = async (project: Project, profile: string, memory: Memory): Promise<void> => {
  const path = memoryPath(project, profile)
  await mkdir(join(path, '..'), { recursive: true })
  const partial = `${path}.${randomUUID()}`
  await writeFile(partial, JSON.stringify(memory))
  await rename(partial, path)
}

/** What the last run of each step of a profile was like on this machine. */
export const readHistory = async (project: Project, profile: string): Promise<History> =>
  (await readMemory(project, profile)).steps

export const rememberStep = async (
  project: Project,
  profile: string,
  step: KeyedStep,
  durationMs: number,
): Promise<void> => {
  const memory = await readMemory(project, profile)
  const { key, inputs } = step
  await writeMemory(project, profile, { ...memory, steps: { ...memory.steps, [step.id]: { key, inputs, durationMs } } })
}

export const readStageVersions = async (project: Project, profile: string): Promise<StageVersions> =>
  (await readMemory(project, profile)).versions ?? {}

export const rememberStageVersions = async (
  project: Project,
  profile: string,
  versions: StageVersions,
): Promise<void> => {
  await writeMemory(project, profile, { ...(await readMemory(project, profile)), versions })
}

export const rememberImage = async (project: Project, profile: string, image: ImageRecord): Promise<void> => {
  const memory = await readMemory(project, profile)
  const { size, mtimeMs } = await stat(imagePath(project, profile))
  await writeMemory(project, profile, { ...memory, image: { ...image, sizeBytes: size, mtimeMs } })
}

/** The image of the last bake, if the file is still the one that was written; undefined otherwise. */
export const currentImage = async (project: Project, profile: string): Promise<ImageRecord | undefined> => {
  const { image } = await readMemory(project, profile)
  if (!image || !isSha256(image.key)) return undefined
  const status = await stat(imagePath(project, profile)).catch(() => undefined)
  if (status?.size !== image.sizeBytes || status.mtimeMs !== image.mtimeMs) return undefined
  return image
}
