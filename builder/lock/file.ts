import { randomUUID } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { z } from 'zod'
import { PibakeError } from '../core/error.ts'
import { readIfThere } from '../core/file.ts'
import { toLockedDeb } from './debs.ts'
import {
  type Lock,
  type LockedArtifact,
  type LockedDeb,
  lockSchema,
  type ToolsLock,
  toolsLockSchema,
} from './schema.ts'

/** Where the lock of a profile lies below the folder of locks. */
export const lockPath = (locks: string, profile: string): string => join(locks, `${profile}.lock.json`)

/** Where the lock of a tools tree lies. */
export const toolsLockPath = (locks: string, suite: string, architecture: string): string =>
  join(locks, `tools-${suite}-${architecture}.lock.json`)

/** Read the lock of a profile; undefined when there is none. Throws `LOCK_INVALID` naming the file. */
export const readLock = (path: string): Promise<Lock | undefined> => readAs(path, lockSchema)

/** Read the lock of a tools tree; undefined when there is none. Throws `LOCK_INVALID` naming the file. */
export const readToolsLock = (path: string): Promise<ToolsLock | undefined> => readAs(path, toolsLockSchema)

const readAs = async <T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> => {
  const text = await readIfThere(path)
  return text === undefined ? undefined : parseAs(path, text, schema)
}

const parseAs = <T>(path: string, text: string, schema: z.ZodType<T>): T => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw invalid(path, [cause instanceof Error ? cause.message : String(cause)], cause)
  }
  const result = schema.safeParse(value)
  if (!result.success) {
    throw invalid(
      path,
      result.error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`),
    )
  }
  return result.data
}

const invalid = (path: string, details: readonly string[], cause?: unknown): PibakeError =>
  new PibakeError('LOCK_INVALID', `The lock \`${path}\` cannot be read.`, {
    hint: 'Take it back from version control, or delete it and run `pibake fetch` to make it anew.',
    details,
    ...(cause === undefined ? {} : { cause }),
  })

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)

const sortedDebs = (debs: readonly LockedDeb[]): LockedDeb[] =>
  [...debs].sort((a, b) => byName(a, b) || (a.architecture < b.architecture ? -1 : 1)).map(toLockedDeb)

const sortedRecord = <T>(record: Readonly<Record<string, readonly T[]>>, order: (a: T, b: T) => number) =>
  Object.fromEntries(
    Object.entries(record)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, items]) => [key, [...items].sort(order)]),
  )

/** A lock as text: one order of keys, lists sorted wherever order means nothing, so that diffs are short. */
export const formatLock = (lock: Lock): string =>
  toText({
    version: lock.version,
    profile: lock.profile,
    suite: lock.suite,
    architecture: lock.architecture,
    request: lock.request,
    time: lock.time,
    indexes: lock.indexes,
    ...(lock.base ? { base: lock.base } : {}),
    steps: lock.steps.map(({ name, debs }) => ({ name, debs: sortedDebs(debs) })),
    extras: sortedDebs(lock.extras),
    npm: sortedRecord(lock.npm, (a, b) => (a.path < b.path ? -1 : 1)),
    artifacts: sortedRecord<LockedArtifact>(lock.artifacts, byName),
  } satisfies Lock)

/** The lock of a tools tree as text. */
const formatToolsLock = (lock: ToolsLock): string =>
  toText({
    version: lock.version,
    suite: lock.suite,
    architecture: lock.architecture,
    request: lock.request,
    time: lock.time,
    indexes: lock.indexes,
    first: [...lock.first].sort(),
    debs: sortedDebs(lock.debs),
  } satisfies ToolsLock)

const toText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** Write the lock of a profile, whole or not at all. A lock that its own schema refuses is a bug. */
export const writeLock = async (path: string, lock: Lock): Promise<void> => {
  await replaceFile(path, formatLock(lockSchema.parse(lock)))
}

/** Write the lock of a tools tree, whole or not at all. */
export const writeToolsLock = async (path: string, lock: ToolsLock): Promise<void> => {
  await replaceFile(path, formatToolsLock(toolsLockSchema.parse(lock)))
}

const replaceFile = async (path: string, text: string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.${randomUUID().slice(0, 8)}.partial`
  try {
    await writeFile(temporary, text, { flag: 'wx' })
    await rename(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
}
