import { execa, type Options } from 'execa'
import { errnoOf, PibakeError } from '../core/error.ts'

export interface CommandOptions {
  signal?: AbortSignal
  cwd?: string
  env?: Readonly<Record<string, string>>
  /** Text or bytes for standard input; without it the command reads end of file. */
  input?: string | Uint8Array
  /** Numbers of open files that stand for standard input and output: for bytes that are too many to pass through here. */
  files?: { input: number; output: number }
  /** Called for each whole line of standard output and of standard error while the command runs. */
  onLine?: (line: string) => void
  /** Called for each piece of standard output as it comes, for a program that draws its progress on one line. */
  onText?: (text: string) => void
  /** What errors call the program when `argv` starts it through others. */
  name?: string
  /** Milliseconds until the command is ended and counts as failed. */
  timeoutMs?: number
}

/** A command line that can be pasted into a shell. */
const quoteCommand = (argv: readonly string[]): string =>
  argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ')

const execaOptions = (options: CommandOptions) =>
  ({
    buffer: true,
    stdin: options.input === undefined ? 'ignore' : 'pipe',
    stripFinalNewline: true,
    // The environment is handed over whole or not at all, so that a user's locale or proxy never reaches a bake.
    extendEnv: false,
    env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC', ...options.env },
    // A session of its own: Ctrl-C reaches the command through `signal` alone, and its whole group can be ended at once.
    detached: true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.input === undefined ? {} : { input: options.input }),
  }) satisfies Options

/** End a command with everything it started: whoever is half-way through making a sandbox would otherwise stay behind. */
const killGroup = (pid: number | undefined): void => {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error
  }
}

/** Kill the group of `subprocess` when the signal fires; the listener goes with the process. */
const endWith = (subprocess: PromiseLike<unknown> & { pid?: number }, signal: AbortSignal): void => {
  const end = (): void => killGroup(subprocess.pid)
  if (signal.aborted) end()
  signal.addEventListener('abort', end, { once: true })
  const forget = (): void => signal.removeEventListener('abort', end)
  void subprocess.then(forget, forget)
}

/** What a finished command leaves behind. */
export interface CommandResult {
  stdout: string
  stderr: string
}

/**
 * Run a command to its end. Throws `COMMAND_FAILED` with the command line and the tail of its output, `DISK_FULL` when
 * that tail says so, and `INTERRUPTED` when `signal` fired.
 */
export const runCommand = async (argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> => {
  const [file, ...args] = argv
  if (file === undefined) throw new Error('runCommand needs a program')
  const name = options.name ?? file
  if (options.signal?.aborted) throw interrupted()
  const { files, onLine, onText, signal, timeoutMs } = options
  const subprocess = execa(file, args, {
    ...execaOptions(options),
    // execa's types name numbers up to 9; Node takes any (child_process, `options.stdio`).
    ...(files ? { stdin: files.input as 3, stdout: files.output as 3 } : {}),
    reject: false,
    all: true,
  })
  const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs)
  const ending = [signal, timeout].filter((item) => item !== undefined)
  if (ending.length > 0) endWith(subprocess, AbortSignal.any(ending))
  if (onText) subprocess.stdout?.on('data', (chunk: Buffer) => onText(chunk.toString()))
  if (onLine) {
    const tell = async (from: 'stdout' | 'stderr'): Promise<void> => {
      for await (const line of subprocess.iterable({ from })) onLine(String(line))
    }
    await Promise.all([tell('stdout'), tell('stderr')])
  }
  const result = await subprocess
  if (signal?.aborted) throw interrupted()
  if (result.failed) {
    const tail = String(result.all ?? '')
      .trimEnd()
      .split('\n')
      .slice(-20)
    if (tail.some((line) => line.includes('No space left on device'))) throw diskFull(name, tail)
    const manner = timeout?.aborted
      ? `did not end within ${timeoutMs} ms`
      : result.signal
        ? `was ended by ${result.signal}`
        : result.exitCode === undefined
          ? `could not be started (${result.originalMessage ?? 'no reason given'})`
          : `failed with status ${result.exitCode}`
    throw new PibakeError('COMMAND_FAILED', `\`${name}\` ${manner}.`, {
      hint: `The command was: ${quoteCommand(argv)}`,
      details: tail,
      cause: result,
    })
  }
  return { stdout: result.stdout ?? '', stderr: result.stderr }
}

/** Start a command that goes on in the background; the caller owns it and its streams. */
export const spawnCommand = (argv: readonly string[], options: Omit<CommandOptions, 'onLine' | 'onText'> = {}) => {
  const [file, ...args] = argv
  if (file === undefined) throw new Error('spawnCommand needs a program')
  const subprocess = execa(file, args, { ...execaOptions(options), buffer: false, reject: false, stdin: 'pipe' })
  if (options.signal) endWith(subprocess, options.signal)
  return subprocess
}

/** A command in the background: execa's handle on it. */
export type Subprocess = ReturnType<typeof spawnCommand>

const interrupted = (): PibakeError =>
  new PibakeError('INTERRUPTED', 'Interrupted.', { hint: 'Run the same command again to go on where it stopped.' })

const diskFull = (program: string, details: readonly string[]): PibakeError =>
  new PibakeError('DISK_FULL', `The disk is full: \`${program}\` could not write.`, {
    hint: 'Free some space (`pibake cache prune` drops what no lock needs), then run the same command again.',
    details,
  })
