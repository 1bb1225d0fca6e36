import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { availableParallelism, freemem } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { asSha256, type Sha256 } from '../core/digest.ts'
import { PibakeError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import { unfinishedFolder } from '../core/project.ts'
import { spawnTool, type Tools } from '../host/sandbox.ts'
import { makeScratch } from '../host/scratch.ts'
import { explainWrite } from '../kit/write-failure.ts'
import { giveName } from './replace.ts'

/** Forms in which an image is handed on; each is the ending of its file. */
export const compressions = ['xz', 'zst'] as const
export type Compression = (typeof compressions)[number]

interface Compressor {
  /** Memory of one thread, in bytes. */
  threadBytes: number
  command: (options: { threads: number; sizeBytes: number }) => string[]
}

/**
 * How each form is made. Both programs cut their input into blocks whose size does not depend on the number of threads,
 * as long as it is set (xz) or follows from the level (zstd), so the bytes are the same on every machine; `+1` keeps xz
 * from its single-threaded format, which has other headers. See xz(1) `--block-size`, zstd(1) `-T`.
 */
const compressors: Readonly<Record<Compression, Compressor>> = {
  xz: {
    threadBytes: 200 << 20,
    command: ({ threads }) => [
      ...['xz', '--compress', '--stdout', '--quiet', '-6', '--check=crc64', '--block-size=24MiB'],
      `--threads=${threads === 1 ? '+1' : threads}`,
    ],
  },
  zst: {
    threadBytes: 100 << 20,
    command: ({ threads, sizeBytes }) => [
      ...['zstd', '--compress', '--stdout', '--quiet', '-3', '--check'],
      ...[`--threads=${threads}`, `--stream-size=${sizeBytes}`],
    ],
  },
}

/** Threads for a compressor: one a processor, as far as half of the free memory goes. */
const threadsFor = ({ threadBytes }: Compressor): number =>
  Math.max(1, Math.min(availableParallelism(), Math.floor(freemem() / 2 / threadBytes)))

/** Hands bytes on and tells how many there were so far. */
const watch = (take: (chunk: Buffer) => void): Transform =>
  new Transform({
    transform(chunk: Buffer, _encoding, done) {
      take(chunk)
      done(null, chunk)
    },
  })

/** Turn what ended the work into what a user can act on. */
const explain = (cause: unknown, path: string, signal: AbortSignal | undefined): unknown =>
  signal?.aborted
    ? new PibakeError('INTERRUPTED', 'Interrupted.', { hint: 'Run the same command again.', cause })
    : explainWrite(cause, path)

export interface CompressOptions {
  tools: Tools
  /** Absolute path of the image. */
  image: string
  compression: Compression
  /** The archive; takes its name only when it is whole and on disk. */
  destination: string
  /** Without it, one a processor. The bytes do not depend on it. */
  threads?: number
  emit: Emit
  /** The step that progress is reported for. */
  stepId: string
  signal?: AbortSignal
}

/**
 * Compress an image, on all processors, into the same bytes on every machine that has the same tools. Returns the size
 * and digest of the archive. Throws DISK_FULL, INTERRUPTED.
 */
export const compressImage = async (options: CompressOptions): Promise<{ sizeBytes: number; sha256: Sha256 }> => {
  const { tools, image, compression, destination, emit, stepId, signal } = options
  const compressor = compressors[compression]
  const { size: total } = await stat(image)
  const threads = options.threads ?? threadsFor(compressor)
  await using scratch = await makeScratch(join(dirname(destination), unfinishedFolder)).catch((error: unknown) => {
    throw explain(error, destination, signal)
  })
  const temporary = join(scratch.path, basename(destination))
  const program = spawnTool(tools, compressor.command({ threads, sizeBytes: total }), signal ? { signal } : {})
  let complaints = ''
  program.stderr.on('data', (chunk: Buffer) => {
    complaints = `${complaints}${chunk}`.slice(-2000)
  })
  const hash = createHash('sha256')
  let done = 0
  let sizeBytes = 0
  const feed = watch((chunk) => {
    done += chunk.length
    emit({ type: 'step-progress', id: stepId, done, total, unit: 'bytes', note: `${threads} at a time` })
  })
  const take = watch((chunk) => {
    hash.update(chunk)
    sizeBytes += chunk.length
  })
  try {
    const results = await Promise.allSettled([
      pipeline(createReadStream(image, { highWaterMark: 4 << 20 }), feed, program.stdin),
      pipeline(program.stdout, take, createWriteStream(temporary, { flush: true })).catch((error: unknown) => {
        // Nobody reads on: the program would wait forever.
        program.kill('SIGKILL')
        throw error
      }),
    ])
    const { exitCode, signal: ended } = await program
    // The end of the writer says more than the broken pipe of the feeder.
    for (const result of results.toReversed()) if (result.status === 'rejected') throw result.reason
    if (exitCode !== 0) {
      throw new PibakeError('COMMAND_FAILED', `\`${compression}\` ended with ${ended ?? `status ${exitCode}`}.`, {
        hint: 'Run the same command again; the image itself is finished.',
        details: complaints.trimEnd().split('\n'),
      })
    }
  } catch (error) {
    throw explain(error, destination, signal)
  }
  await giveName(temporary, destination)
  return { sizeBytes, sha256: asSha256(hash.digest('hex')) }
}
