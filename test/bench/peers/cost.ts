import { readFileSync, type Stats, statSync } from 'node:fs'
import { runCommand } from '../../../builder/host/command.ts'
import { peakMemory } from '../measure.ts'

/** What a run cost. */
export interface Cost {
  /** Until the result is on the disk. */
  wallMs: number
  /** As `peakMemory` finds it. */
  peakBytes: number
  /** What the disk was given to write meanwhile, by everyone; undefined where the kernel does not count that. */
  writtenBytes: number | undefined
}

/** The disk that a file is on, `254:0`: its device number taken apart as gnu_dev_major(3) and gnu_dev_minor(3) do. */
export const diskOf = ({ dev }: Stats): string => `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`

/**
 * Bytes written to the disk below a folder since the machine started: sectors of 512 bytes, the seventh field of the
 * disk's `stat` (Documentation/block/stat.rst). Undefined for a file system without a disk of its own, as btrfs and overlayfs are.
 */
const readWritten = (folder: string): number | undefined => {
  try {
    const fields = readFileSync(`/sys/dev/block/${diskOf(statSync(folder))}/stat`, 'utf8')
      .trim()
      .split(/\s+/)
    return Number(fields[6]) * 512
  } catch {
    return undefined
  }
}

const syncDisk = (folder: string): Promise<unknown> => runCommand(['sync', '--file-system', folder])

/** Run something to its end and measure it, with all that it leaves for the disk to write. `folder` is on that disk. */
export const costOf = async <T>(
  folder: string,
  start: () => { pid: number; ended: Promise<T> },
): Promise<{ cost: Cost; result: T }> => {
  await syncDisk(folder)
  const before = readWritten(folder)
  const startedMs = performance.now()
  const { pid, ended } = start()
  const peak = peakMemory(pid, ended)
  const result = await ended
  await syncDisk(folder)
  const wallMs = performance.now() - startedMs
  const after = readWritten(folder)
  const writtenBytes = before === undefined || after === undefined ? undefined : after - before
  return { cost: { wallMs, peakBytes: await peak, writtenBytes }, result }
}
