import { lstat, lutimes, mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Architecture, architectures, elfMagic, hostArchitecture } from '../host/architecture.ts'
import { runTool, type ToolOptions, type Tools } from '../host/sandbox.ts'

/**
 * A target root being worked on: layers below, a writable layer on top. It is mounted only while a command runs in it,
 * in namespaces of that command's own, so that nothing has to be undone when the command ends or pibake is killed.
 */
export interface TargetRoot {
  tools: Tools
  /** Tree that the native twins' libraries come from. */
  native: Tools
  architecture: Architecture
  /** Folders from the bottom up; sealed layers or a mounted base. */
  lower: readonly string[]
  /** Holds `upper` and overlayfs's `work`; on a file system that can be an overlay's upper. */
  layer: string
  /** What appears at `/.pibake` inside: `native` with the twins, `qemu`. */
  inside: string
  /** The dispatcher, or undefined where the host runs the target's programs itself. */
  dispatcher: string | undefined
  /** Seconds since 1970 that everything in the bake takes as now. */
  timeSeconds: number
}

/** Where the target root is mounted in the sandbox that `runInRoot` makes. */
const targetPath = '/target'

const inside = join(import.meta.dirname, 'inside.sh')
const enter = join(import.meta.dirname, 'enter.sh')

/**
 * Make the lowest layer of every root: mount points and the policy that starts no service. Being below everything, it
 * never shows in a sealed layer and is left out of the image.
 */
export const writeScaffold = async (folder: string, native: boolean): Promise<void> => {
  const { triplet } = architectures[hostArchitecture()]
  const folders = ['.pibake', 'dev', 'proc', 'run', 'sys', 'tmp', 'usr/lib', 'usr/lib64', 'usr/sbin']
  if (native) folders.push(`usr/lib/${triplet}`)
  for (const path of folders) await mkdir(join(folder, path), { recursive: true })
  await writeFile(join(folder, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  await symlink('usr/lib64', join(folder, 'lib64'))
  await lutimes(join(folder, 'lib64'), 0, 0)
  for (const path of ['.', 'usr', ...folders]) await utimes(join(folder, path), 0, 0)
}

/** What every program in the target sees as its environment. */
const environment = (root: TargetRoot): Record<string, string> => ({
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
  DEBIAN_FRONTEND: 'noninteractive',
  SOURCE_DATE_EPOCH: String(root.timeSeconds),
})

/**
 * Bring back the scaffold's link to the native linker where a package has removed it: bookworm's `usr-is-merged` does, on
 * every architecture that does not use it. overlayfs keeps a removal as a character device.
 */
const restoreLinkerLink = async (layer: string): Promise<void> => {
  const path = join(layer, 'upper', 'lib64')
  if ((await lstat(path).catch(() => undefined))?.isCharacterDevice()) await rm(path)
}

/**
 * Run a program of the tools tree beside the target root, which it sees at `targetPath`: real root's ids in a user
 * namespace, no network, programs of the target started through the dispatcher. Throws as `runTool` does.
 */
export const runInRoot = async (
  root: TargetRoot,
  argv: readonly string[],
  options: ToolOptions = {},
): Promise<void> => {
  const { triplet, linker } = architectures[hostArchitecture()]
  // A volatile overlay refuses the work folder of the one before.
  await rm(join(root.layer, 'work'), { recursive: true, force: true })
  await mkdir(join(root.layer, 'work'), { recursive: true })
  await mkdir(join(root.layer, 'upper'), { recursive: true })
  const foreign = root.dispatcher !== undefined
  const lower = root.lower.map((source, index) => ({ source, target: `/lower/${index}` }))
  const libraries = join(root.native.root, 'usr/lib', triplet)
  await runTool(
    root.tools,
    [
      'sh',
      '/pibake/enter.sh',
      lower
        .map(({ target }) => target)
        .reverse()
        .join(':'),
      root.dispatcher ? `/dispatcher:${elfMagic(root.architecture)}` : '-',
      ...argv,
    ],
    {
      ...options,
      privileged: true,
      env: { ...environment(root), ...options.env },
      folders: [
        ...[targetPath, '/binfmt'],
        // Where they are, `inside.sh` covers the target's own folders with them.
        ...(foreign ? ['/native-libraries', '/native-linker'] : []),
        ...(options.folders ?? []),
      ],
      mounts: [
        { source: enter, target: '/pibake/enter.sh' },
        { source: inside, target: '/pibake/inside.sh' },
        { source: root.inside, target: '/inside' },
        { source: root.layer, target: '/layer', writable: true },
        ...lower,
        ...(foreign && root.dispatcher
          ? [
              { source: root.dispatcher, target: '/dispatcher' },
              { source: libraries, target: `/native-libraries/${triplet}` },
              { source: join(root.native.root, 'usr', linker, '..'), target: '/native-linker' },
            ]
          : []),
        ...(options.mounts ?? []),
      ],
    },
  )
  await restoreLinkerLink(root.layer)
}
