import { type FileHandle, open, readFile } from 'node:fs/promises'
import { availableParallelism, freemem } from 'node:os'
import { setInterval } from 'node:timers/promises'
import type { Sha256 } from '../core/digest.ts'
import type { Emit } from '../core/event.ts'
import { writeWhole } from '../host/replace.ts'
import { runTool, type Tools } from '../host/sandbox.ts'

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

/** How far an open file has been read, by whichever process shares its place in it (proc_pid_fdinfo(5)). */
const readPosition = async ({ fd }: FileHandle): Promise<number> =>
  Number(/^pos:\s*(\d+)$/m.exec(await readFile(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? 0)

/** Run `tell` every `intervalMs` until the work has ended; it never overlaps with itself. */
const tellMeanwhile = async <T>(work: Promise<T>, tell: () => Promise<void>, intervalMs = 200): Promise<T> => {
  const stop = new AbortController()
  const telling = (async () => {
    for await (const _ of setInterval(intervalMs, undefined, { signal: stop.signal })) await tell()
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error
  })
  try {
    return await work
  } finally {
    stop.abort()
    await telling
  }
}

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
  const { tools, image, compression, destination, emit, stepId } = options
  const cancel = options.signal ? { signal: options.signal } : {}
  const compressor = compressors[compression]
  const threads = options.threads ?? threadsFor(compressor)
  const write = async (partial: string): Promise<void> => {
    await using input = await open(image)
    await using output = await open(partial, 'wx')
    const { size: total } = await input.stat()
    const tell = (done: number): void =>
      emit({ type: 'step-progress', id: stepId, done, total, unit: 'bytes', note: `${threads} at a time` })
    tell(0)
    const files = { input: input.fd, output: output.fd }
    const running = runTool(tools, compressor.command({ threads, sizeBytes: total }), { files, ...cancel })
    await tellMeanwhile(running, async () => tell(await readPosition(input)))
    tell(total)
  }
  return await writeWhole(destination, write, cancel)
}
