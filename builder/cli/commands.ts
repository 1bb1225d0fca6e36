import type { Command } from './command.ts'

/** A command that is not loaded yet: enough for the overview of `--help`. */
export interface CommandEntry {
  name: string
  /** As yargs wants it: the name, then positionals as `<needed>` or `[optional]`. */
  usage: string
  summary: string
  /** `none`: runs where no network is (`host/offline.ts`); `host`: may use the network. */
  network: 'none' | 'host'
  /** Whether each run keeps a log. */
  log: boolean
  /** Left out of the overview. */
  hidden?: boolean
  load: () => Promise<Command>
}

/** Every command of pibake, in the order of the overview. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'stages',
    usage: 'stages [stage]',
    summary: 'List the stages, or describe one',
    network: 'host',
    log: false,
    load: async () => (await import('./stages.ts')).stages,
  },
  {
    name: 'profiles',
    usage: 'profiles [profile]',
    summary: 'List the profiles, or describe one with its stages and settings',
    network: 'host',
    log: false,
    load: async () => (await import('./profiles.ts')).profiles,
  },
  {
    name: 'doctor',
    usage: 'doctor',
    summary: 'Try what pibake needs of this machine, and say how to mend what is missing',
    network: 'host',
    log: false,
    load: async () => (await import('./doctor.ts')).doctor,
  },
  {
    name: 'completion',
    usage: 'completion <shell> [words..]',
    summary: 'Print a completion script for bash or zsh',
    network: 'host',
    log: false,
    load: async () => (await import('./completion.ts')).completion,
  },
]

/** The command that runs when none is named but options are: `pibake --profile pub`. */
export const defaultCommand = 'bake'
