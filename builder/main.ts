import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Result } from './cli/command.ts'
import type { CommandEntry } from './cli/commands.ts'
import { guessGlobals } from './cli/context.ts'
import { exitCodeOf, PibakeError } from './core/error.ts'
import { projectAt, scratchFolders } from './core/project.ts'
import { assertOffline, isOffline, runOffline } from './host/offline.ts'
import { sweepScratch } from './host/scratch.ts'
import { openReporter, type Reporter, wantsColor } from './report/reporter.ts'
import { colourful, plainly } from './report/style.ts'

/** Environment variable with the folder of the stick that the launcher there was started from. */
const stickVariable = 'PIBAKE_STICK'

const project = projectAt(join(import.meta.dirname, '..'), { stick: process.env[stickVariable] })

/** Environment variable that tells the process without network in which log to go on. */
const logVariable = 'PIBAKE_LOG'

const readVersion = (): string => {
  const { version } = JSON.parse(readFileSync(join(project.root, 'package.json'), 'utf8')) as { version: string }
  return version
}

/** The first signal asks everything to end in order; the second ends this process at once. */
const listenForInterrupts = (): AbortSignal => {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(130)
      controller.abort(interrupted())
    })
  }
  return controller.signal
}

const interrupted = (): PibakeError =>
  new PibakeError('INTERRUPTED', 'Interrupted.', { hint: 'Run the same command again to go on where it stopped.' })

const openVoice = (argv: readonly string[], entry?: CommandEntry): Promise<Reporter> => {
  const { json, verbose, color } = guessGlobals(argv)
  return openReporter({
    json,
    verbose,
    color: wantsColor({ flag: color, env: process.env, isTerminal: process.stderr.isTTY }),
    ...(entry?.log
      ? {
          log: { folder: join(project.state, 'logs'), command: entry.name, path: process.env[logVariable] },
        }
      : {}),
  })
}

const run = async (argv: readonly string[]): Promise<number> => {
  let entry: CommandEntry | undefined
  let reporter: Reporter | undefined
  let signal: AbortSignal | undefined
  try {
    if (isOffline()) assertOffline()
    else for (const folder of scratchFolders(project)) await sweepScratch(folder)
    const { parseCommandLine } = await import('./cli/parse.ts')
    const width = Math.min(100, process.stdout.columns ?? 100)
    const parsed = await parseCommandLine(argv, { version: readVersion(), width })
    if (parsed.kind === 'text') {
      reporter = await openReporter({ json: false, verbose: false, color: false })
      reporter.result({ lines: [parsed.text] })
      return 0
    }
    entry = parsed.entry
    if (entry.network === 'none' && !isOffline()) return await runOffline(argv)
    signal = listenForInterrupts()
    reporter = await openVoice(argv, entry)
    const voice = reporter
    const { emit, logPath } = voice
    let isHandedOver = false
    emit({ type: 'debug', message: 'pibake begins', fields: { argv, version: readVersion(), node: process.version } })
    const continueOffline = async (more: readonly string[] = []): Promise<Result> => {
      voice.close()
      reporter = undefined
      isHandedOver = true
      const env = logPath === undefined ? {} : { [logVariable]: logPath }
      return { exitCode: await runOffline([...argv, ...more], { env }) }
    }
    const { args, globals, command } = parsed
    const terminal = { input: process.stdin, output: process.stdout }
    const context = { project, emit, signal, options: globals, isOffline: isOffline(), continueOffline, terminal }
    const { data, lines, exitCode, failure, endsByInterruption } = await command.run(args, context)
    // The process without network has said everything, an interruption included.
    if (isHandedOver) return exitCode ?? 0
    if (endsByInterruption !== true) signal.throwIfAborted()
    const color = wantsColor({ flag: globals.color, env: process.env, isTerminal: process.stdout.isTTY })
    voice.result({ data, lines: lines?.(color ? colourful : plainly) ?? [] })
    if (failure !== undefined) throw failure
    return exitCode ?? 0
  } catch (thrown) {
    const error = signal?.aborted ? signal.reason : thrown
    reporter ??= await openVoice(argv, error instanceof PibakeError ? undefined : entry)
    reporter.failure(error)
    return exitCodeOf(error)
  } finally {
    reporter?.close()
  }
}

// What is baked has the same modes whatever umask a user has set.
process.umask(0o022)
// A reader that goes away early (`pibake stages | head -1`) is no failure.
process.stdout.on('error', () => process.exit(0))
// Sockets that are kept alive for reuse must not hold up the end.
process.exit(await run(process.argv.slice(2)))
