import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { errnoOf, PibakeError } from '../core/error.ts'
import { ownerVariable, scratchOwner } from './scratch.ts'

/** Environment variable that marks the process without network. */
const marker = 'PIBAKE_OFFLINE'

const program = join(import.meta.dirname, '..', 'main.ts')

/** Signals that are passed on: the child is in a session of its own, so that the terminal's reach it through here, once. */
const passedOn = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGWINCH'] as const

/** Whether this process is (or claims to be) the one that `runOffline` started. */
export const isOffline = (env: Readonly<Record<string, string | undefined>> = process.env): boolean =>
  env[marker] !== undefined

/**
 * The command that runs `argv` in a network namespace without a route, with a mount and a process namespace of its own.
 * The process namespace ends with its first process, and takes along everything started in it, however deep. That first
 * process ends with unshare, and unshare with whoever started it, both through the kernel's parent-death signal
 * (prctl(2), PR_SET_PDEATHSIG). The shell between them makes sure that `parent` was still there to be watched.
 * Without root, a user namespace gives the right to make the others.
 */
export const offlineCommand = (argv: readonly string[], options: { isRoot: boolean; parent: number }): string[] => [
  'setpriv',
  '--pdeathsig',
  'KILL',
  'sh',
  '-c',
  'test -d "/proc/$0" && exec "$@"',
  String(options.parent),
  'unshare',
  ...(options.isRoot ? [] : ['--user', '--map-current-user']),
  '--net',
  '--pid',
  '--fork',
  '--kill-child=KILL',
  '--mount',
  '--mount-proc',
  '--propagation',
  // What the host unmounts goes here too (a USB stick can be pulled); nothing mounted here shows on the host.
  'slave',
  '--',
  ...argv,
]

/**
 * Run this program again with `argv` as its arguments, where no network is, and return its exit code (128 + n when
 * signal n ended it). It has this process's terminal, gets its signals once, and ends with it even on SIGKILL.
 * `env` is added to the environment. Throws `HOST_UNSUPPORTED` where util-linux is missing.
 */
export const runOffline = async (
  argv: readonly string[],
  options: { env?: Readonly<Record<string, string>>; program?: string } = {},
): Promise<number> => {
  const command = [process.execPath, ...process.execArgv, options.program ?? program, ...argv]
  const [file = '', ...args] = offlineCommand(command, { isRoot: process.getuid?.() === 0, parent: process.pid })
  const child = spawn(file, args, {
    stdio: 'inherit',
    detached: true,
    env: { ...process.env, ...options.env, [marker]: '1', [ownerVariable]: await scratchOwner() },
  })
  // The whole session gets a signal: unshare itself holds back SIGINT and SIGTERM and waits for the program.
  const send = (name: NodeJS.Signals): void => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, name)
  }
  const listeners = passedOn.map((name) => [name, () => send(name === 'SIGHUP' ? 'SIGTERM' : name)] as const)
  const stop = (): void => {
    send('SIGSTOP')
    process.kill(process.pid, 'SIGSTOP')
  }
  const goOn = (): void => send('SIGCONT')
  for (const [name, pass] of listeners) process.on(name, pass)
  process.on('SIGTSTP', stop)
  process.on('SIGCONT', goOn)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (cause) => reject(missing(cause)))
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)))
    })
  } finally {
    for (const [name, pass] of listeners) process.off(name, pass)
    process.off('SIGTSTP', stop)
    process.off('SIGCONT', goOn)
  }
}

const missing = (cause: unknown): Error =>
  errnoOf(cause) === 'ENOENT'
    ? new PibakeError('HOST_UNSUPPORTED', '`setpriv` is not installed on this machine.', {
        hint: 'It belongs to util-linux, as does `unshare`; install that.',
        cause,
      })
    : new Error('the process without network could not be started', { cause })

/** Interfaces and routes of a network namespace, as its files below `/proc/net` show them. */
export interface NetworkFiles {
  /** proc_net_dev: two lines of heading, then `name: counters`. */
  dev: string
  /** IPv4 routes: a heading, then one a line, the interface first. */
  route: string
  /** IPv6 routes: one a line, the interface last. */
  ipv6Route: string
}

/** Everything in a network namespace that could lead outside it; empty when only loopback is there. */
export const waysOut = ({ dev, route, ipv6Route }: NetworkFiles): string[] => {
  const lines = (text: string, headings: number): string[] =>
    text
      .split('\n')
      .slice(headings)
      .filter((line) => line.trim() !== '')
  const found = [
    ...lines(dev, 2).map((line) => ({ name: line.split(':')[0]?.trim() ?? '', what: 'interface' })),
    ...lines(route, 1).map((line) => ({ name: line.trim().split(/\s+/)[0] ?? '', what: 'IPv4 route by' })),
    ...lines(ipv6Route, 0).map((line) => ({ name: line.trim().split(/\s+/).at(-1) ?? '', what: 'IPv6 route by' })),
  ]
  return [...new Set(found.filter(({ name }) => name !== 'lo').map(({ name, what }) => `${what} ${name}`))]
}

const readNetworkFiles = (): NetworkFiles => {
  const read = (name: string): string => {
    try {
      return readFileSync(join('/proc/self/net', name), 'utf8')
    } catch (error) {
      // A kernel without IPv6 has no such file.
      if (errnoOf(error) === 'ENOENT') return ''
      throw error
    }
  }
  return { dev: read('dev'), route: read('route'), ipv6Route: read('ipv6_route') }
}

/**
 * Hold the promise: a plain Error when this process has any interface or route but loopback. To be called first thing in the process that `runOffline` starts.
 */
export const assertOffline = (): void => {
  const found = waysOut(readNetworkFiles())
  if (found.length > 0) throw new Error(`this must run without network, but there is: ${found.join(', ')}`)
}
