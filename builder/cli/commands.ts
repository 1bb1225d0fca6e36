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
  load: () => Promise<Command>
}

/** Every command of pibake, in the order of the overview. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'bake',
    usage: 'bake',
    summary: 'Bake a profile into an image; fetch first what is missing (the default)',
    network: 'host',
    log: true,
    load: async () => (await import('./bake.ts')).bake,
  },
  {
    name: 'fetch',
    usage: 'fetch',
    summary: 'Bring all that a bake needs into the cache, and lock it',
    network: 'host',
    log: true,
    load: async () => (await import('./fetch.ts')).fetch,
  },
  {
    name: 'plan',
    usage: 'plan',
    summary: 'Show what a bake would do, why, and what is to be fetched before',
    network: 'none',
    log: false,
    load: async () => (await import('./plan.ts')).plan,
  },
  {
    name: 'test',
    usage: 'test <image>',
    summary: 'Boot an image and put the checks of its stages to it',
    network: 'none',
    log: true,
    load: async () => (await import('./test.ts')).test,
  },
  {
    name: 'run',
    usage: 'run <image>',
    summary: 'Boot an image for a look by hand, its ports forwarded',
    network: 'host',
    log: true,
    load: async () => (await import('./run.ts')).run,
  },
  {
    name: 'lab',
    usage: 'lab [image..]',
    summary: 'Boot several nodes on a network of their own, and ask them about each other',
    network: 'host',
    log: true,
    load: async () => (await import('./lab.ts')).lab,
  },
  {
    name: 'flash',
    usage: 'flash [image]',
    summary: 'Write an image to cards and sticks, several at once, and read it back; or list them',
    network: 'host',
    log: true,
    load: async () => (await import('./flash.ts')).flash,
  },
  {
    name: 'inspect',
    usage: 'inspect <image>',
    summary: 'Say what is in an image, and what takes its space',
    network: 'host',
    log: false,
    load: async () => (await import('./inspect.ts')).inspect,
  },
  {
    name: 'diff',
    usage: 'diff <before> <after>',
    summary: 'Compare two images down to the file; exit 0 the same, 1 not',
    network: 'host',
    log: false,
    load: async () => (await import('./diff.ts')).diff,
  },
  {
    name: 'verify',
    usage: 'verify <image>',
    summary: 'Bake an image anew from its lock, and explain any difference down to the file',
    network: 'none',
    log: true,
    load: async () => (await import('./verify.ts')).verify,
  },
  {
    name: 'bases',
    usage: 'bases',
    summary: 'List the images of Raspberry Pi OS that a bake can start from, as published',
    network: 'host',
    log: false,
    load: async () => (await import('./bases.ts')).bases,
  },
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
    name: 'cache',
    usage: 'cache [action] [path]',
    summary: 'Show, verify, prune, export or import what was fetched',
    network: 'none',
    log: true,
    load: async () => (await import('./cache.ts')).cache,
  },
  {
    name: 'export',
    usage: 'export <profile> [file]',
    summary: 'Write a profile with its stages and locks into one file, to give to others',
    network: 'none',
    log: false,
    load: async () => (await import('./export.ts')).exportCommand,
  },
  {
    name: 'import',
    usage: 'import <file>',
    summary: 'Bring a profile that others exported into this checkout, or list what is in it',
    network: 'none',
    log: false,
    load: async () => (await import('./import.ts')).importCommand,
  },
  {
    name: 'deb',
    usage: 'deb [stage..]',
    summary: 'Build the packages of stages, and gather those of others, in one signed repository',
    network: 'none',
    log: true,
    load: async () => (await import('./deb.ts')).deb,
  },
  {
    name: 'serve',
    usage: 'serve',
    summary: 'Serve packages, images and documentation to everyone on this network',
    network: 'host',
    log: true,
    load: async () => (await import('./serve.ts')).serve,
  },
  {
    name: 'kit',
    usage: 'kit <where..>',
    summary: 'Make, verify or copy a stick that bakes, tests and flashes where there is no internet',
    network: 'none',
    log: true,
    load: async () => (await import('./kit.ts')).kit,
  },
  {
    name: 'completion',
    usage: 'completion <shell>',
    summary: 'Print a completion script for bash or zsh',
    network: 'host',
    log: false,
    load: async () => (await import('./completion.ts')).completion,
  },
]

/** The command that runs when none is named but options are: `pibake --profile pub`. */
export const defaultCommand = 'bake'
