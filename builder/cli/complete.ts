import type { Options, PositionalOptions } from 'yargs'
import type { Command } from './command.ts'
import { globalOptions } from './context.ts'

/** Names that may stand on a command line. */
export interface CompletionNames {
  commands: readonly string[]
  profiles: readonly string[]
  stages: readonly string[]
}

const choicesOf = ({ choices }: Options | PositionalOptions): readonly unknown[] | undefined =>
  Array.isArray(choices) ? choices : undefined

/** What may follow an option or stand for a positional, as far as pibake knows; undefined leaves it to file names. */
const valuesFor = (
  name: string,
  choices: readonly unknown[] | undefined,
  names: CompletionNames,
): readonly string[] | undefined => {
  if (choices) return choices.map(String)
  if (name === 'profile') return names.profiles
  return name === 'stage' ? names.stages : undefined
}

/**
 * The words that may stand where the last of `words` (perhaps empty, perhaps begun) is. `words` is what follows `pibake`
 * on the line. An empty answer lets the shell offer file names.
 */
export const complete = (
  words: readonly string[],
  current: { name: string; command: Command } | undefined,
  names: CompletionNames,
): string[] => {
  const begun = words.at(-1) ?? ''
  const before = words.at(-2) ?? ''
  const matching = (candidates: readonly string[]): string[] => candidates.filter((word) => word.startsWith(begun))
  const options: Readonly<Record<string, Options>> = {
    ...globalOptions,
    ...current?.command.options,
    ...(current ? {} : { profile: {} }),
  }
  if (before.startsWith('--')) {
    const name = before.slice(2)
    const option = Object.entries(options).find(([key]) => key === name)?.[1]
    if (option && option.type !== 'boolean') return matching(valuesFor(name, choicesOf(option), names) ?? [])
  }
  if (begun.startsWith('-')) return matching([...Object.keys(options), 'help'].map((name) => `--${name}`)).sort()
  if (!current) return matching(names.commands)
  const positional = Object.entries(current.command.positionals)[0]
  if (!positional) return []
  return matching(valuesFor(positional[0], choicesOf(positional[1]), names) ?? [])
}

const bash = `_pibake() {
  local IFS=$'\\n'
  COMPREPLY=($("\${COMP_WORDS[0]}" completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _pibake pibake ./pibake`

const zsh = `_pibake() {
  local -a found
  found=("\${(@f)$("\${words[1]}" completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n $found[1] ]]; then compadd -a found; else _files; fi
}
compdef _pibake pibake`

/** What a shell reads to complete pibake's command lines: it asks pibake itself, through \`completion words\`. */
export const completionScripts: Readonly<Record<string, string>> = { bash, zsh }
