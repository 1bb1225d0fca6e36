import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Run `work`; returns what it does and how long that took, in milliseconds. */
export const measure = async <T>(work: () => Promise<T>): Promise<{ wallMs: number; result: T }> => {
  const started = performance.now()
  const result = await work()
  return { wallMs: performance.now() - started, result }
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted[Math.floor(sorted.length / 2)]
  if (middle === undefined) throw new Error('a median needs a value')
  return middle
}

/** Median wall time of several runs, in milliseconds; `before` each run is not counted. */
export const medianOf = async (
  runs: number,
  work: () => Promise<unknown>,
  before: () => Promise<unknown> = async () => undefined,
): Promise<number> => {
  const times: number[] = []
  for (let run = 0; run < runs; run += 1) {
    await before()
    times.push((await measure(work)).wallMs)
  }
  return median(times)
}

/** A number of a `Name:   123 kB` line of a file below /proc, in bytes; 0 when the process has ended. */
const readField = (path: string, name: string): number => {
  try {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(path, 'utf8'))
    return Number(match?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

const readParents = (): Map<number, number> => {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
    } catch {
      // It has ended since the folder was read.
    }
  }
  return parents
}

/** A process and all below it. */
const treeOf = (root: number): number[] => {
  const parents = readParents()
  const tree = [root]
  for (const pid of tree) for (const [child, parent] of parents) if (parent === pid) tree.push(child)
  return tree
}

/**
 * The most memory that a process and all it starts hold at once until `ended`, in bytes: the sum of their proportional
 * set sizes (proc(5), smaps_rollup), five times a second. What the kernel caches of files is not in it.
 */
export const peakMemory = async (root: number, ended: Promise<unknown>): Promise<number> => {
  let peakBytes = 0
  let over = false
  const finish = (): void => {
    over = true
  }
  ended.then(finish, finish)
  while (!over) {
    const bytes = treeOf(root).reduce((sum, pid) => sum + readField(`/proc/${pid}/smaps_rollup`, 'Pss'), 0)
    peakBytes = Math.max(peakBytes, bytes)
    await sleep(200)
  }
  return peakBytes
}
