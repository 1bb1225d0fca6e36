import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { errnoOf, PibakeError } from '../core/error.ts'
import {
  type BundleFile,
  type BundleKind,
  inMebibytes,
  type Listing,
  manifestPath,
  refuseBundle,
  showText,
} from './bundle.ts'
import { readBundleHeader, type StoredFile } from './bundle-header.ts'

/** A bundle that is read in place. */
export interface Bundle<M> extends AsyncDisposable {
  /** As it was named. */
  file: string
  sizeBytes: number
  manifest: M
  /**
   * The content of one of its files in chunks; throws `BUNDLE_INVALID` at the end when it is not what the manifest says.
   */
  read(entry: BundleFile): AsyncGenerator<Buffer>
}

const chunkBytes = 1 << 20

const openFile = async (file: string, madeBy: string): Promise<FileHandle> => {
  try {
    // Without waiting for a writer, should it be a pipe.
    return await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    const what = errnoOf(cause) === 'ENOENT' ? 'There is no file' : 'Nothing can be read from'
    throw new PibakeError('USAGE', `${what} \`${file}\`.`, { hint: `Name a file that \`${madeBy}\` made.`, cause })
  }
}

/**
 * asar's own `extractFile` is not for files of strangers: it follows links, reads `<file>.unpacked` beside the archive,
 * keeps headers by name though the file may change, and takes a read that ends early for a whole one.
 */
async function* readStored(handle: FileHandle, file: string, stored: StoredFile): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let done = 0
  while (done < stored.sizeBytes) {
    const chunk = Buffer.alloc(Math.min(chunkBytes, stored.sizeBytes - done))
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, stored.position + done)
    if (bytesRead === 0) throw refuseBundle(file, 'is cut off')
    done += bytesRead
    hash.update(chunk.subarray(0, bytesRead))
    yield chunk.subarray(0, bytesRead)
  }
  if (hash.digest('hex') !== stored.sha256) {
    throw refuseBundle(file, `is damaged: \`${showText(stored.path)}\` is not what its hash says`)
  }
}

const parseManifest = <M extends Listing>(file: string, text: string, kind: BundleKind<M>): M => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw refuseBundle(file, `has a \`${manifestPath}\` that is no JSON`, { cause })
  }
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined
  if (typeof format === 'string' && format !== kind.format) {
    const hint = 'Update pibake, or ask for a bundle that this version made.'
    throw refuseBundle(file, `is of a format that this pibake does not know, \`${showText(format)}\``, { hint })
  }
  const result = kind.schema.safeParse(value)
  if (result.success) return result.data
  const details = result.error.issues
    .slice(0, 20)
    .map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`)
  throw refuseBundle(file, `has a \`${manifestPath}\` that pibake does not understand`, { details })
}

/** Header and manifest must tell the same; returns nothing. */
const compare = (file: string, { files, cache = [] }: Listing, stored: ReadonlyMap<string, StoredFile>): void => {
  const listed = new Set([manifestPath])
  for (const { path, mode, sizeBytes, sha256 } of [...files, ...cache]) {
    const shown = `\`${showText(path)}\``
    if (listed.has(path)) throw refuseBundle(file, `lists ${shown} a second time`)
    listed.add(path)
    const entry = stored.get(path)
    if (entry === undefined) throw refuseBundle(file, `lists ${shown}, which is not in it`)
    if (entry.sizeBytes !== sizeBytes) throw refuseBundle(file, `states two sizes for ${shown}`)
    if (entry.sha256 !== sha256) throw refuseBundle(file, `states two hashes for ${shown}`)
    if (entry.executable !== (mode === '0755')) throw refuseBundle(file, `states two modes for ${shown}`)
  }
  for (const path of stored.keys()) {
    if (!listed.has(path)) throw refuseBundle(file, `holds \`${showText(path)}\`, which its manifest does not list`)
  }
}

const readManifest = async <M extends Listing>(
  handle: FileHandle,
  options: { file: string; stored: StoredFile | undefined; kind: BundleKind<M> },
): Promise<M> => {
  const { file, stored, kind } = options
  if (stored === undefined) throw refuseBundle(file, `has no \`${manifestPath}\``)
  const { headerBytes } = kind.limits
  if (stored.sizeBytes > headerBytes)
    throw refuseBundle(file, `has a \`${manifestPath}\` of more than ${inMebibytes(headerBytes)}`)
  if (stored.executable) throw refuseBundle(file, `has a \`${manifestPath}\` that is executable`)
  const chunks: Buffer[] = []
  for await (const chunk of readStored(handle, file, stored)) chunks.push(chunk)
  return parseManifest(file, Buffer.concat(chunks).toString(), kind)
}

/**
 * Open a bundle of a kind and check all of it but the content of its files, which `read` checks. Throws `BUNDLE_INVALID`, and
 * `USAGE` when there is no such file.
 */
export const openBundle = async <M extends Listing>(file: string, kind: BundleKind<M>): Promise<Bundle<M>> => {
  const handle = await openFile(file, kind.madeBy)
  try {
    const stats = await handle.stat()
    if (!stats.isFile()) throw refuseBundle(file, 'is not a file')
    const stored = await readBundleHeader(handle, file, kind)
    const manifest = await readManifest(handle, { file, stored: stored.get(manifestPath), kind })
    compare(file, manifest, stored)
    return {
      file,
      sizeBytes: stats.size,
      manifest,
      read: ({ path }) => {
        const entry = stored.get(path)
        if (entry === undefined) throw new Error(`not in the bundle: ${path}`)
        return readStored(handle, file, entry)
      },
      [Symbol.asyncDispose]: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}
