import type { InferredOptionTypes, Options, PositionalOptions } from 'yargs'
import type { Paint } from '../report/style.ts'
import type { Context } from './context.ts'

/** What a command leaves behind. Data goes to standard output: `lines` for people, `data` with `--json`. */
export interface Result {
  data?: unknown
  lines?: (paint: Paint) => readonly string[]
  /** 0 when not given; 1 where the data says that something failed. */
  exitCode?: number
  /** What went wrong although there is a result; said after it, and decides the exit code. */
  failure?: unknown
  /** Whether being interrupted is how the command ends, and no failure. */
  endsByInterruption?: boolean
}

/** One command as the command line sees it. */
export interface Command {
  options: Readonly<Record<string, Options>>
  positionals: Readonly<Record<string, PositionalOptions>>
  examples: readonly (readonly [command: string, meaning: string])[]
  run(args: Readonly<Record<string, unknown>>, context: Context): Promise<Result>
}

type Arguments<
  O extends Record<string, Options>,
  P extends Record<string, PositionalOptions>,
> = InferredOptionTypes<O> &
  InferredOptionTypes<P> & {
    /** Words after `--`. */
    '--'?: readonly (string | number)[]
  }

/** Describe a command; its arguments get their types from the tables of options and positionals. */
export const defineCommand = <
  const O extends Record<string, Options>,
  const P extends Record<string, PositionalOptions>,
>(command: {
  options: O
  positionals: P
  examples: Command['examples']
  run(args: Arguments<O, P>, context: Context): Promise<Result>
}): Command => ({
  ...command,
  // yargs has checked the arguments against the same tables.
  run: (args, context) => command.run(args as Arguments<O, P>, context),
})
