import { lstat, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import { runCommand, spawnCommand } from '../../../builder/host/command.ts'
import type { Tools } from '../../../builder/host/sandbox.ts'
import { diskOf } from './cost.ts'

/** Where the peers work: `/bench` on their host, a folder of this machine. What is in it goes when it is disposed. */
export interface Room extends AsyncDisposable {
  path: string
  /** Start a recipe: a path below `recipes/`, and its arguments. */
  start(recipe: string, args?: readonly string[]): { pid: number; ended: Promise<void> }
}

const enter = join(import.meta.dirname, 'enter.sh')

const loopList = z.object({
  loopdevices: z.array(z.object({ name: z.string(), 'back-ino': z.number(), 'back-maj:min': z.string() })),
})

/**
 * Loop devices that stand for files in a folder: a peer that was killed has not detached its own. By disk and inode, for
 * their path is that of the mount namespace where they were made.
 */
const loopsOf = async (folder: string): Promise<string[]> => {
  const { stdout } = await runCommand(['losetup', '--list', '--json', '--output', 'NAME,BACK-INO,BACK-MAJ:MIN'])
  if (stdout.trim() === '') return []
  const names = await readdir(folder).catch(() => [])
  const files = await Promise.all(names.map((name) => lstat(join(folder, name))))
  const places = new Set(files.map((file) => `${diskOf(file)} ${file.ino}`))
  return loopList
    .parse(JSON.parse(stdout))
    .loopdevices.filter((loop) => places.has(`${loop['back-maj:min'].trim()} ${loop['back-ino']}`))
    .map(({ name }) => name)
}

/** Make the room of one peer. `environment` is what its recipes read. */
export const openRoom = async (options: {
  path: string
  host: Tools
  mirror: string
  environment: Readonly<Record<string, string>>
  signal: AbortSignal
}): Promise<Room> => {
  const { path, host, mirror, signal } = options
  const remove = async (): Promise<void> => {
    for (const name of await loopsOf(path)) await runCommand(['losetup', '--detach', name])
    for (const folder of [path, `${path}.root`]) await rm(folder, { recursive: true, force: true })
  }
  await remove()
  await mkdir(path, { recursive: true })
  const env = {
    ...options.environment,
    PATH: '/recipes/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
  }
  const namespaces = ['--mount', '--net', '--ipc', '--uts', '--pid', '--fork', '--kill-child']
  return {
    path,
    start: (recipe, args = []) => {
      // By its path, for this PATH is the one on the peers' host.
      const command = ['/usr/bin/unshare', ...namespaces, '/bin/sh', enter, host.root, mirror, path]
      const subprocess = spawnCommand([...command, `/recipes/${recipe}`, ...args], { env, signal })
      subprocess.stdin.end()
      const end = async (): Promise<void> => {
        const [out, err, { exitCode }] = await Promise.all([
          text(subprocess.stdout),
          text(subprocess.stderr),
          subprocess,
        ])
        signal.throwIfAborted()
        if (exitCode !== 0) throw new Error(`${recipe} failed:\n${out.slice(-4000)}\n${err.slice(-4000)}`)
      }
      return { pid: subprocess.pid ?? 0, ended: end() }
    },
    [Symbol.asyncDispose]: remove,
  }
}
