import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { deviceNumber, type KernelPaths, readWord } from './kernel.ts'

/** What holds a drive, or a partition of it. */
export type Use =
  | { kind: 'mounted'; name: string; at: string }
  | { kind: 'swap'; name: string }
  /** Part of a RAID, of LVM, of an encrypted or another mapped device; `title` is what people call that. */
  | { kind: 'held'; name: string; by: string; title: string }

const readText = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => [])

/** Spaces and the like stand as `\040` in the files of /proc (proc_pid_mountinfo(5)). */
const plainPath = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_whole, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))

interface MountLine {
  number: string
  at: string
  source: string
}

/** Lines of mountinfo, of which only what is needed here: device number, mount point, source. */
const parseMounts = (text: string): MountLine[] =>
  text.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ')
    const [, , number, , at] = before.split(' ')
    const source = after.split(' ')[1]
    return number === undefined || at === undefined
      ? []
      : [{ number, at: plainPath(at), source: plainPath(source ?? '') }]
  })

/** Files in use as swap (proc_swaps(5)). */
const parseSwaps = (text: string): string[] =>
  text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const path = line.split(/\s/)[0] ?? ''
      return path === '' ? [] : [plainPath(path)]
    })

const titleOf = async (folder: string): Promise<string> => {
  const mapped = await readWord(join(folder, 'dm/name'))
  if (mapped !== '')
    return (await readWord(join(folder, 'dm/uuid'))).startsWith('LVM-') ? `the LVM volume ${mapped}` : mapped
  const level = await readWord(join(folder, 'md/level'))
  return level === '' ? basename(folder) : `a RAID (${level})`
}

/** Whether a path stands for the device, itself or as a link. */
const isDevice = async (path: string, number: string): Promise<boolean> => {
  if (!path.startsWith('/')) return false
  const status = await stat(path).catch(() => undefined)
  return status?.isBlockDevice() === true && deviceNumber(status.rdev) === number
}

/**
 * Everything that uses a drive now, itself or through its partitions: mounts that this process sees, swap, and devices
 * built upon it, with what those are used for in turn. `folder` is the drive's in sysfs.
 */
export const readUses = async (folder: string, paths: KernelPaths, depth = 0): Promise<Use[]> => {
  const mounts = parseMounts(await readText(join(paths.proc, 'self/mountinfo')))
  const swaps = parseSwaps(await readText(join(paths.proc, 'swaps')))
  const parts = (await namesIn(folder)).filter((name) => name.startsWith(basename(folder)))
  const uses: Use[] = []
  for (const place of [folder, ...parts.map((name) => join(folder, name))]) {
    const name = basename(place)
    const number = await readWord(join(place, 'dev'))
    if (number === '') continue
    for (const mount of mounts) {
      // btrfs shows a number of its own; its source still names the device.
      if (mount.number === number || (await isDevice(mount.source, number))) {
        uses.push({ kind: 'mounted', name, at: mount.at })
      }
    }
    for (const swap of swaps) if (await isDevice(swap, number)) uses.push({ kind: 'swap', name })
    for (const by of await namesIn(join(place, 'holders'))) {
      const holder = join(paths.sys, 'class/block', by)
      uses.push({ kind: 'held', name, by, title: await titleOf(holder) })
      if (depth < 8) uses.push(...(await readUses(holder, paths, depth + 1)))
    }
  }
  return uses
}
