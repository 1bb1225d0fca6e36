import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { asSha256, type Sha256 } from '../core/digest.ts'
import { errnoOf } from '../core/error.ts'

/**
 * A blob that is being written to `incoming/`. Owned: disposing it without `commit` removes the file, or leaves it for
 * a later `beginBlob` with the same key when `keep` was called.
 */
export interface IncomingBlob extends AsyncDisposable {
  /** Bytes that are there, with those taken over from an earlier run. */
  readonly sizeBytes: number
  write(chunk: Uint8Array): Promise<void>
  /** Drop what is there and begin at the first byte. */
  restart(): Promise<void>
  /** Digests of what is there: sha256 in hexadecimal, sha512 in base64. */
  digests(): { sha256: Sha256; sha512: string }
  /** Flush to the disk and give the file its final name, atomically; a file that is there is replaced. */
  moveTo(path: string): Promise<void>
  /** Let the bytes so far survive disposal. */
  keep(): void
}

/** Tells the parts that this process writes from those that an ended one with the same pid has left. */
const processToken = `${process.pid}-${randomUUID().slice(0, 8)}`
let counter = 0

const ownedPart = /\.(\d+)-([0-9a-f]{8})-\d+\.part$/

/** Whether a file name in `incoming/` belongs to a process that still runs. */
export const isPartInUse = (name: string): boolean => {
  const [, pid, token] = ownedPart.exec(name) ?? []
  if (pid === undefined) return false
  if (Number(pid) === process.pid) return `${pid}-${token}` === processToken
  try {
    process.kill(Number(pid), 0)
    return true
  } catch (error) {
    return errnoOf(error) === 'EPERM'
  }
}

/** A name in `incoming/` that marks the file as being written by this process. */
const ownedName = (key: string): string => {
  counter += 1
  return `${key}.${processToken}-${counter}.part`
}

/** Take over what an earlier run has left for `key`: rename(2) lets only one process have it. */
const adoptPart = async (folder: string, key: string, owned: string): Promise<void> => {
  const left = (await readdir(folder)).filter(
    (name) => name === `${key}.part` || (name.startsWith(`${key}.`) && ownedPart.test(name) && !isPartInUse(name)),
  )
  for (const name of left) {
    try {
      await rename(join(folder, name), owned)
      return
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }
}

/** Begin a blob in `folder`. With `resumeKey`, bytes that an earlier run kept under that key are taken over. */
export const openIncoming = async (folder: string, resumeKey?: string): Promise<IncomingBlob> => {
  await mkdir(folder, { recursive: true })
  const key = resumeKey ?? randomUUID()
  const path = join(folder, ownedName(key))
  if (resumeKey !== undefined) await adoptPart(folder, resumeKey, path)
  const file = await open(path, 'a+', 0o644)
  return new Incoming(file, path, join(folder, `${key}.part`)).load()
}

class Incoming implements IncomingBlob {
  sizeBytes = 0
  #sha256 = createHash('sha256')
  #sha512 = createHash('sha512')
  #kept = false
  #moved = false
  readonly #file: FileHandle
  readonly #path: string
  readonly #keptPath: string

  constructor(file: FileHandle, path: string, keptPath: string) {
    this.#file = file
    this.#path = path
    this.#keptPath = keptPath
  }

  async load(): Promise<this> {
    const { size } = await this.#file.stat()
    if (size > 0) for await (const chunk of createReadStream(this.#path)) this.#count(chunk as Uint8Array)
    return this
  }

  #count(chunk: Uint8Array): void {
    this.#sha256.update(chunk)
    this.#sha512.update(chunk)
    this.sizeBytes += chunk.byteLength
  }

  async write(chunk: Uint8Array): Promise<void> {
    let offset = 0
    while (offset < chunk.byteLength) {
      const { bytesWritten } = await this.#file.write(chunk, offset)
      offset += bytesWritten
    }
    this.#count(chunk)
  }

  async restart(): Promise<void> {
    if (this.sizeBytes > 0) await this.#file.truncate(0)
    this.#sha256 = createHash('sha256')
    this.#sha512 = createHash('sha512')
    this.sizeBytes = 0
  }

  digests(): { sha256: Sha256; sha512: string } {
    return { sha256: asSha256(this.#sha256.copy().digest('hex')), sha512: this.#sha512.copy().digest('base64') }
  }

  async moveTo(path: string): Promise<void> {
    await this.#file.chmod(0o644)
    await this.#file.sync()
    await mkdir(dirname(path), { recursive: true })
    await rename(this.#path, path)
    this.#moved = true
  }

  keep(): void {
    this.#kept = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
    if (this.#moved) return
    if (this.#kept && this.sizeBytes > 0) await rename(this.#path, this.#keptPath)
    else await rm(this.#path, { force: true })
  }
}
