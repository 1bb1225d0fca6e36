import yargs, { type Argv } from 'yargs'
import { PibakeError } from '../core/error.ts'
import { nearest } from '../core/text.ts'
import type { Command } from './command.ts'
import { type CommandEntry, commands, defaultCommand } from './commands.ts'
import { type GlobalOptions, globalOptions, readGlobals } from './context.ts'

/** What a command line asks for. */
export type Parsed =
  | { kind: 'text'; text: string }
  | {
      kind: 'run'
      entry: CommandEntry
      command: Command
      args: Readonly<Record<string, unknown>>
      globals: GlobalOptions
    }

const overviewExamples = [
  ['$0 --profile pub', 'Fetch what is missing, then bake images/pub.img'],
  ['$0 doctor', 'See whether this machine has all that is needed'],
  ['$0 profiles', 'See what can be baked'],
] as const

/** A hint after a wrong word: what was meant, or where to look. */
const hintFor = (word: string, candidates: Iterable<string>, help: string, prefix = ''): string => {
  const meant = nearest(word, candidates)
  return meant === undefined ? `See \`${help}\`.` : `Did you mean \`${prefix}${meant}\`? See \`${help}\`.`
}

const unknownCommand = (word: string): PibakeError =>
  new PibakeError('USAGE', `There is no command \`${word}\`.`, {
    hint: hintFor(
      word,
      commands.map(({ name }) => name),
      'pibake --help',
    ),
  })

const unknownWords = /^Unknown (?:arguments?|commands?): ([^,]+)/

const usageError = (message: string, entry: CommandEntry | undefined, command: Command | undefined): PibakeError => {
  const help = entry === undefined ? 'pibake --help' : `pibake ${entry.name} --help`
  const word = unknownWords.exec(message)?.[1]
  if (word === undefined) {
    const [sentence = '', ...details] = message.split('\n').map((line) => line.trim())
    return new PibakeError('USAGE', /[.:!?]$/.test(sentence) ? sentence : `${sentence}.`, {
      hint: `See \`${help}\`.`,
      details: details.filter((line) => line !== ''),
    })
  }
  const names = [...Object.keys(command?.options ?? {}), ...Object.keys(globalOptions), 'help', 'version']
  const where = entry === undefined ? '' : ` of \`${entry.name}\``
  return new PibakeError('USAGE', `\`${word}\` is no option or argument${where}.`, {
    hint: hintFor(word, names, help, '--'),
  })
}

const describeCommand = (parser: Argv, command: Command, entry: CommandEntry): Argv => {
  let described = parser.usage(`$0 ${entry.usage}\n\n${entry.summary}.`)
  for (const [name, option] of Object.entries(command.positionals)) described = described.positional(name, option)
  const options = Object.entries(command.options).map(([name, option]) => [
    name,
    option.type === 'boolean' ? option : { requiresArg: true, ...option },
  ])
  return described
    .options(Object.fromEntries(options))
    .example(command.examples.map(([line, meaning]) => [line, meaning]))
}

const isGlobal = (word: string): boolean => Object.hasOwn(globalOptions, word.replace(/^--(?:no-)?/, ''))
const asksForText = new Set(['--help', '--version'])

/** The words with the default command before them where none is named; nothing at all asks for help. */
const completeCommandLine = (argv: readonly string[]): string[] => {
  const first = argv.find((word) => !isGlobal(word))
  if (first === undefined) return [...argv, '--help']
  if (!first.startsWith('-')) {
    if (!commands.some(({ name }) => name === first)) throw unknownCommand(first)
    return [...argv]
  }
  return asksForText.has(first) ? [...argv] : [defaultCommand, ...argv]
}

/**
 * Read a command line. Only the module of the named command is loaded. Help and version come back as text. Throws
 * `USAGE` for an unknown command or option, with what was probably meant, and for missing or impossible values.
 */
export const parseCommandLine = async (
  argv: readonly string[],
  options: { version: string; width: number },
): Promise<Parsed> => {
  const words = completeCommandLine(argv)
  let chosen: { entry: CommandEntry; command: Command } | undefined
  let loading: CommandEntry | undefined
  let parser = yargs()
    .scriptName('pibake')
    .usage(
      '$0 <command> [options]\n\nBakes, boot-tests and locks Raspberry Pi images of community network nodes, offline.',
    )
    .detectLocale(false)
    .exitProcess(false)
    .parserConfiguration({ 'camel-case-expansion': false, 'populate--': true, 'strip-aliased': true })
    .options(globalOptions)
    .group(Object.keys(globalOptions), 'Everywhere:')
    .strict()
    .wrap(options.width)
    .version(options.version)
    .help()
    .showHelpOnFail(false)
    .example(overviewExamples.map(([line, meaning]) => [line, meaning]))
    .epilogue('`pibake <command> --help` says more about one command.')
    .fail((message, error) => {
      throw error ?? usageError(message, loading, chosen?.command)
    })
  for (const entry of commands) {
    parser = parser.command(entry.usage, entry.summary, async (below) => {
      loading = entry
      const command = await entry.load()
      chosen = { entry, command }
      return describeCommand(below, command, entry)
    })
  }
  let text = ''
  const parsing = parser.parseAsync(words, {}, (_error: unknown, _args: unknown, output: string) => {
    text = output
  })
  const args = await parsing.catch((error: unknown) => {
    // Some mistakes do not pass by `fail`; they come as errors of yargs's own kind.
    throw error instanceof Error && error.name === 'YError'
      ? usageError(error.message, loading, chosen?.command)
      : error
  })
  if (text !== '') return { kind: 'text', text }
  if (chosen === undefined) throw new PibakeError('USAGE', 'No command is named.', { hint: 'See `pibake --help`.' })
  return { kind: 'run', ...chosen, args, globals: readGlobals(args) }
}
