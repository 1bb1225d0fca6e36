import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'

const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => [])

const processesOf = async (folder: string): Promise<string[]> => {
  const found: string[] = []
  for (const pid of await namesIn('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const commandLine = (await read(`/proc/${pid}/cmdline`)).replaceAll('\0', ' ')
    const places = await Promise.all(
      ['cwd', 'root', 'exe'].map((name) => readlink(`/proc/${pid}/${name}`).catch(() => '')),
    )
    // A mount namespace lives as long as a process in it: whatever is mounted in one shows here.
    const mounts = await read(`/proc/${pid}/mountinfo`)
    if ([commandLine, ...places, mounts].some((text) => text.includes(folder))) {
      found.push(`process ${pid}: ${commandLine || places[2]}`)
    }
  }
  return found
}

/**
 * What a pibake of the checkout `folder` has left on this machine: mounts, loop devices, processes and their namespaces,
 * and intermediate files. Empty when it cleaned up.
 */
export const leftovers = async (folder: string): Promise<string[]> => {
  const found = await processesOf(folder)
  for (const name of await namesIn('/sys/block')) {
    const file = await read(`/sys/block/${name}/loop/backing_file`)
    if (file.includes(folder)) found.push(`loop device ${name}: ${file.trim()}`)
  }
  for (const below of ['packages-cache/work', 'packages-cache/incoming', 'images/.unfinished', '.pibake/.unfinished']) {
    for (const name of await namesIn(join(folder, below))) found.push(`file ${below}/${name}`)
  }
  return found
}
