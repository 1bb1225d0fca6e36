import { readFile, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { hashJson, type Sha256 } from '../core/digest.ts'
import { type Emit, runStep } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import type { Tools } from '../host/sandbox.ts'
import { type Compression, compressImage, compressions } from './compress.ts'
import { isUnchanged, type PublishedFiles, readPublished, rememberPublished } from './record.ts'
import { replaceFile } from './replace.ts'

export interface Published {
  /** Absolute path. */
  path: string
  sha256: Sha256
  sizeBytes: number
}

export interface PublishRequest {
  project: Project
  /** Name of the profile. */
  profile: string
  /** The finished image. */
  image: { path: string; sha256: Sha256 }
  /** Compressed forms that are wanted. */
  compress: readonly Compression[]
}

/** A file to write beside an image. `key` stands for all that it depends on. */
interface Output {
  name: string
  key: Sha256
  title: string
  make: (options: {
    tools: Tools
    path: string
    stepId: string
    emit: Emit
    signal: AbortSignal
  }) => Promise<Omit<Published, 'path'>>
}

/** Goes up when archives are made in another way. */
const archiveFormat = 1

const archiveOf = ({ image }: PublishRequest, compression: Compression): Output => {
  const name = `${basename(image.path)}.${compression}`
  return {
    name,
    key: hashJson(['archive', archiveFormat, compression, image.sha256]),
    title: `Compress: images/${name}`,
    make: ({ path, ...options }) => compressImage({ ...options, image: image.path, compression, destination: path }),
  }
}

/** All that can be beside the image, and whether this request asks for it. */
const outputsOf = (request: PublishRequest): (Output & { wanted: boolean })[] =>
  compressions.map((compression) => ({
    ...archiveOf(request, compression),
    wanted: request.compress.includes(compression),
  }))

const checksumsPath = ({ image }: PublishRequest): string => `${image.path}.sha256`

/** The text of a `.sha256`, as sha256sum(1) writes and checks it: the image first, then all else by name. */
const renderChecksums = ({ image }: PublishRequest, files: PublishedFiles): string =>
  [[basename(image.path), image.sha256] as const, ...Object.entries(files).map(([name, file]) => [name, file.sha256])]
    .map(([name, sha256]) => `${sha256}  ${name}\n`)
    .join('')

const sorted = (files: PublishedFiles): PublishedFiles =>
  Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)))

/** What of the record is still there and of this image, asked for or not, and what is asked for but not there. */
const compare = async (request: PublishRequest) => {
  const outputs = outputsOf(request)
  const recorded = await readPublished(request.project, request.profile)
  const kept: PublishedFiles = {}
  for (const { name, key } of outputs) {
    const file = recorded[name]
    if (file?.key === key && (await isUnchanged(join(dirname(request.image.path), name), file))) kept[name] = file
  }
  const stale = Object.entries(recorded).filter(([name]) => !kept[name])
  return { kept, stale, missing: outputs.filter(({ name, wanted }) => wanted && !kept[name]) }
}

const filesOf = ({ image }: PublishRequest, files: PublishedFiles): Published[] =>
  Object.entries(files).map(([name, { sha256, sizeBytes }]) => ({
    path: join(dirname(image.path), name),
    sha256,
    sizeBytes,
  }))

/** All that belongs beside the image, when it is there already; undefined when something has to be written. */
export const findPublished = async (request: PublishRequest): Promise<Published[] | undefined> => {
  const { kept, stale, missing } = await compare(request)
  if (missing.length > 0 || stale.length > 0) return undefined
  const text = await readFile(checksumsPath(request), 'utf8').catch(() => '')
  return text === renderChecksums(request, sorted(kept)) ? filesOf(request, sorted(kept)) : undefined
}

/**
 * Write what is handed on with an image beside it, as far as it is not there: archives, and the checksums of all. An
 * archive of an older image is removed. Throws DISK_FULL, INTERRUPTED.
 */
export const publishImage = async (
  request: PublishRequest & { openTools: () => Promise<Tools>; emit: Emit; signal: AbortSignal },
): Promise<Published[]> => {
  const { project, profile, image, openTools, emit, signal } = request
  const folder = dirname(image.path)
  const { kept, stale, missing } = await compare(request)
  for (const [name, file] of stale) {
    const path = join(folder, name)
    // What somebody else has put there since is not pibake's to remove.
    if (await isUnchanged(path, file)) await rm(path)
  }
  let files = kept
  await rememberPublished(project, profile, files)
  const tools = missing.length > 0 ? await openTools() : undefined
  for (const { name, key, title, make } of missing) {
    if (!tools) break
    const path = join(folder, name)
    const made = await runStep(emit, { id: name, title }, () => make({ tools, path, stepId: name, emit, signal }))
    const { mtimeMs } = await stat(path)
    files = sorted({ ...files, [name]: { key, ...made, mtimeMs } })
    await rememberPublished(project, profile, files)
  }
  await replaceFile(checksumsPath(request), renderChecksums(request, sorted(files)))
  return filesOf(request, sorted(files))
}
