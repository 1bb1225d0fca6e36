import { readFile, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Sha256 } from '../core/digest.ts'
import { type Emit, runStep } from '../core/event.ts'
import { replaceFile } from '../host/replace.ts'
import type { Tools } from '../host/sandbox.ts'
import { targets } from '../profile/target.ts'
import { renderManifest } from './manifest.ts'
import { outputsOf, type PublishRequest, stemOf } from './outputs.ts'
import { isUnchanged, type PublishedFiles, readPublished, rememberPublished } from './record.ts'

export interface Published {
  /** Absolute path. */
  path: string
  sha256: Sha256
  sizeBytes: number
}

/** What of the record is still there and of this image, asked for or not, and what is asked for but not there. */
const compare = async (request: PublishRequest) => {
  const { project, image } = request
  const outputs = await outputsOf(request)
  const recorded = await readPublished(project, stemOf(request))
  const kept: PublishedFiles = {}
  for (const { name, key } of outputs) {
    const file = recorded[name]
    if (file?.key === key && (await isUnchanged(join(dirname(image.path), name), file))) kept[name] = file
  }
  const stale = Object.entries(recorded).filter(([name]) => !kept[name])
  return { kept, stale, missing: outputs.filter(({ name, wanted }) => wanted && !kept[name]) }
}

const filesOf = ({ image }: PublishRequest, files: PublishedFiles): Published[] =>
  Object.entries(files)
    .map(([name, { sha256, sizeBytes }]) => ({ path: join(dirname(image.path), name), sha256, sizeBytes }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))

/** The text of a `.sha256`, as sha256sum(1) writes and checks it: the image first, then all else by name. */
const renderChecksums = ({ image }: PublishRequest, files: readonly Published[]): string =>
  [image, ...files].map(({ path, sha256 }) => `${sha256}  ${basename(path)}\n`).join('')

/** The files that follow from the others: small, and written anew whenever they differ. */
const renderTexts = async (request: PublishRequest, files: readonly Published[]) => {
  const { profile, lock, image } = request
  const checksums = { path: `${image.path}.sha256`, text: renderChecksums(request, files) }
  // What has a firmware of its own is nothing that Imager writes cards for.
  if (targets[profile.target].firmware !== 'pi') return [checksums]
  const whole = { ...image, sizeBytes: (await stat(image.path)).size }
  // Not `.zst`: Imager's reading of it is not dependable.
  const source = files.find(({ path }) => path === `${image.path}.xz`) ?? whole
  const manifest = renderManifest({ profile, lock, image: whole, source, bmapPath: `${image.path}.bmap` })
  return [checksums, { path: join(dirname(image.path), `${stemOf(request)}.rpi-imager-manifest`), text: manifest }]
}

const isText = async ({ path, text }: { path: string; text: string }): Promise<boolean> =>
  (await readFile(path, 'utf8').catch(() => undefined)) === text

/** All that belongs beside the image, when it is there already; undefined when something has to be written. */
export const findPublished = async (request: PublishRequest): Promise<Published[] | undefined> => {
  const { kept, stale, missing } = await compare(request)
  if (missing.length > 0 || stale.length > 0) return undefined
  const files = filesOf(request, kept)
  const texts = await renderTexts(request, files)
  return (await Promise.all(texts.map(isText))).every((same) => same) ? files : undefined
}

/**
 * Write what is handed on with an image beside it, as far as it is not there: bills of materials, archives, a qcow2 for
 * virtual machines, the checksums of all, and for a Pi a manifest for Raspberry Pi Imager. What belongs to an older image is removed. Throws DISK_FULL,
 * INTERRUPTED, and MISSING_OFFLINE for packages that are needed to read their licences.
 */
export const publishImage = async (
  request: PublishRequest & { openTools: () => Promise<Tools>; emit: Emit; signal: AbortSignal },
): Promise<Published[]> => {
  const { project, image, openTools, emit, signal } = request
  const folder = dirname(image.path)
  const { kept, stale, missing } = await compare(request)
  for (const [name, file] of stale) {
    const path = join(folder, name)
    // What somebody else has put there since is not pibake's to remove.
    if (await isUnchanged(path, file)) await rm(path)
  }
  let files = kept
  await rememberPublished(project, stemOf(request), files)
  const tools = missing.length > 0 ? await openTools() : undefined
  for (const { name, key, title, make } of missing) {
    if (!tools) break
    const path = join(folder, name)
    const stepId = `publish:${name}`
    const made = await runStep(emit, { id: stepId, title }, () => make({ tools, path, stepId, emit, signal }))
    const { mtimeMs } = await stat(path)
    files = { ...files, [name]: { key, ...made, mtimeMs } }
    await rememberPublished(project, stemOf(request), files)
  }
  const found = filesOf(request, files)
  for (const text of await renderTexts(request, found))
    if (!(await isText(text))) await replaceFile(text.path, text.text)
  return found
}
