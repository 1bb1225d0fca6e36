import { dirname, join } from 'node:path'
import { architectures, hostArchitecture } from './architecture.ts'
import { type CommandOptions, type CommandResult, runCommand, type Subprocess, spawnCommand } from './command.ts'
import { bindFolder } from './tree-binds.ts'

/** An unpacked tools tree: a root of the host's architecture whose programs run in a sandbox of their own. */
export interface Tools {
  /** Absolute path of the tree. */
  root: string
}

export interface ToolOptions extends CommandOptions {
  /** Absolute paths of this machine that the tool may read, at the same path inside. */
  readOnly?: readonly string[]
  /** Absolute paths that it may write. */
  writable?: readonly string[]
  /** Device nodes that it may use, such as a loop device or `/dev/kvm`. */
  devices?: readonly string[]
  /** `inherit` leaves the tool in pibake's own network namespace; `none`, the default, gives it one without a route. */
  network?: 'none' | 'inherit'
  /** What the tool sees at other paths than this machine does. */
  mounts?: readonly { source: string; target: string; writable?: boolean }[]
  /** Empty folders to make inside, as mount points of the tool's own. */
  folders?: readonly string[]
  /** Keep root's capabilities inside, so that the tool may mount there. Only for the target root and loop mounts. */
  privileged?: boolean
}

/** Ask the tools tree's own dynamic linker to start a program of the tree: works on any Linux, whatever its C library. */
export const treeCommand = (tools: Tools, program: string, args: readonly string[]): string[] => {
  const { triplet, linker } = architectures[hostArchitecture()]
  const libraries = join(tools.root, 'usr/lib', triplet)
  return [join(tools.root, 'usr', linker), '--library-path', libraries, join(tools.root, program), ...args]
}

const sandboxArguments = (tools: Tools, options: ToolOptions): string[] => {
  const { linker } = architectures[hostArchitecture()]
  const linkerFolder = dirname(linker)
  const args = ['--die-with-parent', '--unshare-ipc', '--unshare-pid', '--unshare-uts', '--hostname', 'pibake']
  if (options.network !== 'inherit') args.push('--unshare-net')
  const { readOnly = [], writable = [], devices = [], mounts = [], folders = [] } = options
  const own = [...readOnly, ...writable, ...devices, ...mounts.map(({ target }) => target), ...folders]
  for (const folder of ['usr', 'etc', 'var']) args.push(...bindFolder(join(tools.root, folder), `/${folder}`, own))
  for (const folder of new Set(['/bin', '/sbin', '/lib', linkerFolder])) args.push('--symlink', `usr${folder}`, folder)
  args.push('--tmpfs', '/tmp', '--dir', '/run', '--dev', '/dev', '--proc', '/proc')
  for (const path of readOnly) args.push('--ro-bind', path, path)
  for (const path of writable) args.push('--bind', path, path)
  for (const path of devices) args.push('--dev-bind', path, path)
  for (const { source, target, writable } of mounts) args.push(writable ? '--bind' : '--ro-bind', source, target)
  for (const path of folders) args.push('--dir', path)
  if (options.privileged) args.push('--cap-add', 'ALL')
  if (options.cwd !== undefined) args.push('--chdir', options.cwd)
  return args
}

const sandboxCommand = (tools: Tools, argv: readonly string[], options: ToolOptions): string[] =>
  treeCommand(tools, 'usr/bin/bwrap', [...sandboxArguments(tools, options), '--', ...argv])

const insideEnvironment = { PATH: '/usr/sbin:/usr/bin', HOME: '/tmp' }

/**
 * Run a program of the tools tree to its end: no network, its own pid namespace, the tree read-only, and of this
 * machine only the paths that are named. Ends with pibake, even when pibake is killed. Throws as `runCommand` does.
 */
export const runTool = (tools: Tools, argv: readonly string[], options: ToolOptions = {}): Promise<CommandResult> => {
  const { cwd: _inside, ...rest } = options
  const command = sandboxCommand(tools, argv, options)
  return runCommand(command, { name: argv[0] ?? 'bwrap', ...rest, env: { ...insideEnvironment, ...options.env } })
}

/** Start a program of the tools tree that goes on in the background, in the same sandbox as `runTool`. */
export const spawnTool = (
  tools: Tools,
  argv: readonly string[],
  options: Omit<ToolOptions, 'onLine' | 'onText'> = {},
): Subprocess => {
  const { cwd: _inside, ...rest } = options
  return spawnCommand(sandboxCommand(tools, argv, options), { ...rest, env: { ...insideEnvironment, ...options.env } })
}
