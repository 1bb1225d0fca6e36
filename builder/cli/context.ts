import type { Emit } from '../core/event.ts'
import type { Project } from '../core/project.ts'
import type { Result } from './command.ts'

/** Options that every command knows. */
export interface GlobalOptions {
  json: boolean
  verbose: boolean
  yes: boolean
  offline: boolean
  color: boolean
}

/** What a command works with. */
export interface Context {
  project: Project
  emit: Emit
  /** Fires when the user interrupts. */
  signal: AbortSignal
  options: GlobalOptions
  /** Whether this process runs where no network is. */
  isOffline: boolean
  /**
   * Run this command line again where no network is, with `more` arguments, and take over its end: its exit code is this
   * one's. The live view and the log go on there; nothing may be emitted afterwards.
   */
  continueOffline(more?: readonly string[]): Promise<Result>
  /** Where a person sits, for the commands that hand the terminal to a guest. */
  terminal: { input: NodeJS.ReadStream; output: NodeJS.WriteStream }
}

/** yargs tables of the global options; kept beside their type. */
export const globalOptions = {
  json: {
    type: 'boolean',
    default: false,
    describe: 'Result as JSON on standard output, events as JSON lines on standard error',
  },
  verbose: { type: 'boolean', default: false, describe: 'Show the output of every command that is run' },
  yes: { type: 'boolean', default: false, describe: 'Answer yes to every question' },
  offline: { type: 'boolean', default: false, describe: 'Fetch nothing: use what is in the cache, or fail' },
  color: { type: 'boolean', default: true, describe: 'Colours; `--no-color` and NO_COLOR turn them off' },
} as const

const isSet = (value: unknown): boolean => value === true

/** The global options among parsed arguments. */
export const readGlobals = (args: Readonly<Record<string, unknown>>): GlobalOptions => ({
  json: isSet(args.json),
  verbose: isSet(args.verbose),
  yes: isSet(args.yes),
  offline: isSet(args.offline),
  color: args.color !== false,
})

/** The global options of a command line that may not be valid, for saying so in the wanted form. */
export const guessGlobals = (argv: readonly string[]): GlobalOptions => {
  const words = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
  const has = (name: string): boolean => words.includes(`--${name}`)
  return {
    json: has('json'),
    verbose: has('verbose'),
    yes: has('yes'),
    offline: has('offline'),
    color: !has('no-color'),
  }
}
