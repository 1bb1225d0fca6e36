import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { runParallel } from '../cache/parallel.ts'
import { hashFile } from '../core/digest.ts'
import { errnoOf } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import { formatBytes } from '../core/size.ts'
import { atOnce } from './ground.ts'
import { type KitFile, ownFolders, refuseKit } from './manifest.ts'
import { type Kit, openKit } from './open.ts'

/** A kit that is whole. */
export interface VerifiedKit {
  kit: Kit
  sizeBytes: number
  /** Files in the kit's own folders that it does not name; they are not looked at. */
  strangers: string[]
}

type Fault = { path: string; reason: string }

const checkFile = async (folder: string, file: KitFile, signal: AbortSignal): Promise<Fault | undefined> => {
  const { path, sizeBytes, sha256 } = file
  const source = join(folder, path)
  try {
    const status = await lstat(source)
    if (!status.isFile()) return { path, reason: 'is no file' }
    if (status.size !== sizeBytes) return { path, reason: `has ${status.size} bytes in place of ${sizeBytes}` }
    return (await hashFile(source, { signal })) === sha256 ? undefined : { path, reason: 'has another content' }
  } catch (error) {
    signal.throwIfAborted()
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return { path, reason: 'is missing' }
    if (errno === undefined) throw error
    return { path, reason: `cannot be read (${errno})` }
  }
}

const findStrangers = async ({ folder, manifest, texts }: Kit): Promise<string[]> => {
  const known = new Set([...manifest.files.map(({ path }) => path), ...texts.keys()])
  const found: string[] = []
  for (const name of ownFolders) {
    const entries = await readdir(join(folder, name), { recursive: true, withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name).slice(folder.length + 1)
      if (!entry.isDirectory() && !known.has(path)) found.push(path)
    }
  }
  return found.sort()
}

/** Throw `KIT_INVALID` unless the kit was signed by the key with this fingerprint. */
export const assertSignedBy = ({ folder, fingerprint }: Kit, expected: string): void => {
  if (fingerprint === expected) return
  throw refuseKit(folder, 'is signed by another key', {
    details: [`signed by ${fingerprint}`, `expected  ${expected}`],
    hint: 'Do not use it unless you know who made it.',
  })
}

/**
 * Read all of a kit. Throws `KIT_INVALID`, with every file that is missing or not what the signed list says; for a kit
 * that was not finished; and for one that another key than `expected` has signed.
 */
export const verifyKit = async (
  folder: string,
  options: { expected?: string | undefined; emit: Emit; signal: AbortSignal },
): Promise<VerifiedKit> => {
  const { expected, emit, signal } = options
  const kit = await openKit(folder)
  if (expected !== undefined) assertSignedBy(kit, expected)
  const { files } = kit.manifest
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const id = `verify:${folder}`
  const title = `Read ${files.length} files on ${folder} (${formatBytes(total)})`
  let done = 0
  const faults = await runStep(emit, { id, title }, async () => {
    const found = await runParallel(files, atOnce, async (file) => {
      const fault = await checkFile(folder, file, signal)
      done += file.sizeBytes
      emit({ type: 'step-progress', id, done, total, unit: 'bytes', note: file.path })
      return fault
    })
    return found.filter((fault) => fault !== undefined)
  })
  signal.throwIfAborted()
  if (faults.length > 0) {
    const [first] = faults
    const what =
      faults.length === 1 && first
        ? `is damaged: \`${first.path}\` ${first.reason}`
        : `is damaged: ${faults.length} of ${files.length} files are not what the signed list says`
    throw refuseKit(folder, what, {
      details: faults.map(({ path, reason }) => `${path} ${reason}`),
      hint: `Where it was made, \`pibake kit ${folder} --recheck\` writes what is damaged anew; if that comes again, the stick is worn out.`,
    })
  }
  return { kit, sizeBytes: total, strangers: await findStrangers(kit) }
}
