import { readFileSync, statSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { formatBytes } from '../../builder/core/size.ts'
import { hostArchitecture } from '../../builder/host/architecture.ts'

/** What the numbers were taken on. */
export interface Machine {
  processor: string
  cores: number
  memoryBytes: number
  kernel: string
  system: string
  architecture: string
  disk: string
  /** Runnable processes over the last minute before the first measurement; 0 on an idle machine. */
  loadAtStart: number
  time: string
}

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}

/** The block device below a folder and its file system, as far as the kernel tells. */
const describeDisk = (folder: string): string => {
  const { dev } = statSync(folder)
  const id = `${dev >> 8}:${dev & 0xff}`
  const line = readText('/proc/self/mountinfo')
    .split('\n')
    .find((text) => text.split(' ')[2] === id)
  const [type = 'unknown file system', source = 'unknown device'] = line?.split(' - ')[1]?.split(' ') ?? []
  const rotational =
    readText(`/sys/dev/block/${id}/queue/rotational`) || readText(`/sys/dev/block/${id}/../queue/rotational`)
  const kind = rotational === '' ? '' : rotational === '0' ? ', not rotating' : ', rotating'
  return `${type} on ${source}${kind}`
}

/** Describe this machine; `folder` is on the disk that is measured. */
export const describeMachine = (folder: string): Machine => ({
  processor: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
  memoryBytes: totalmem(),
  kernel: `Linux ${release()}`,
  system: /^PRETTY_NAME="?([^"\n]*)/m.exec(readText('/etc/os-release'))?.[1] ?? 'unknown',
  architecture: hostArchitecture(),
  disk: describeDisk(folder),
  loadAtStart: loadavg()[0] ?? 0,
  time: new Date().toISOString(),
})

/** When something was measured, and what else the machine did. */
export const timeLine = ({ time, loadAtStart }: Machine): string =>
  `${time}, load before the first measurement ${loadAtStart.toFixed(2)}`

/** The machine in lines of `name: value`. */
export const machineLines = (machine: Machine): string[] => [
  `Processor: ${machine.processor}, ${machine.cores} cores, ${machine.architecture}`,
  `Memory: ${formatBytes(machine.memoryBytes)}`,
  `System: ${machine.system}, ${machine.kernel}`,
  `Disk: ${machine.disk}`,
]

/** Whether two measurements were taken on machines that can be told apart by nothing but their load. */
export const samePlace = (one: Machine, other: Machine): boolean =>
  (['processor', 'cores', 'memoryBytes', 'kernel', 'system', 'architecture', 'disk'] as const).every(
    (field) => one[field] === other[field],
  )
