import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Sha256 } from '../core/digest.ts'
import type { Emit } from '../core/event.ts'
import { writeWhole } from '../host/replace.ts'
import { runTool, type Tools } from '../host/sandbox.ts'

export interface Qcow2Options {
  tools: Tools
  /** Absolute path of the raw image. */
  image: string
  /** Takes its name only when it is whole and on disk. */
  destination: string
  emit: Emit
  /** The step that progress is reported for. */
  stepId: string
  signal?: AbortSignal
}

/** What qemu-img draws on one line with `-p`. */
const progressPattern = /\((\d+\.\d+)\/100%\)\s*$/

/**
 * Write the qcow2 form of a raw image, compressed by zstd (QEMU 5.1 and newer read that). One request at a time and in
 * order, so that the same image gives the same bytes. Returns its size and digest. Throws DISK_FULL, INTERRUPTED.
 */
export const writeQcow2 = async (options: Qcow2Options): Promise<{ sizeBytes: number; sha256: Sha256 }> => {
  const { tools, image, destination, emit, stepId } = options
  const cancel = options.signal ? { signal: options.signal } : {}
  const { size: total } = await stat(image)
  const how = ['-p', '-c', '-m', '1', '-f', 'raw', '-O', 'qcow2', '-o', 'compression_type=zstd']
  const write = async (partial: string): Promise<void> => {
    await runTool(tools, ['qemu-img', 'convert', ...how, image, partial], {
      readOnly: [image],
      writable: [dirname(partial)],
      onText: (text) => {
        const [, percent] = progressPattern.exec(text) ?? []
        if (percent === undefined) return
        const done = Math.round((total * Number(percent)) / 100)
        emit({ type: 'step-progress', id: stepId, done, total, unit: 'bytes' })
      },
      ...cancel,
    })
  }
  return await writeWhole(destination, write, cancel)
}
