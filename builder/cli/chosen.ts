import { resolve } from 'node:path'
import { PibakeError } from '../core/error.ts'
import { toolsSuite } from '../host/tools-packages.ts'
import { openTree } from '../lock/trees.ts'
import { defaultTarget, targetNames } from '../profile/target.ts'
import type { Context } from './context.ts'

/** The option that says what an image is for. */
export const targetOption = {
  target: {
    choices: targetNames,
    default: defaultTarget,
    describe: 'What it is for: a Raspberry Pi, or a machine with UEFI',
  },
} as const

/** The options that name a profile and its target, for all commands that need one. */
export const profileOption = {
  profile: { type: 'string', describe: 'Profile to bake: a name, or the path of a YAML file' },
  ...targetOption,
} as const

/** The option that sets what a profile starts from. */
export const baseOption = {
  base: {
    type: 'string',
    describe: 'Start from this in place of the base of the profile: an image by name (`pibake bases`), path or address',
  },
} as const

/** Options of all commands that may fetch. */
export const fetchOptions = {
  mirror: { type: 'string', describe: 'Debian mirror, instead of the one that apt of this machine uses' },
  frozen: { type: 'boolean', default: false, describe: 'Fail instead of changing a lock' },
} as const

/** The profile that was named. Throws `USAGE` when none was. */
export const chosenProfile = (profile: string | undefined): string => {
  if (profile !== undefined && profile !== '') return profile
  throw new PibakeError('USAGE', 'No profile is named.', {
    hint: 'Name one with `--profile`, such as `--profile pub`; `pibake profiles` lists them.',
  })
}

/** The option that names the machine an image is booted on. */
export const boardOption = {
  board: {
    choices: ['virt', 'raspi3b'] as const,
    describe: 'The machine that QEMU plays for an image of a Raspberry Pi; `virt` if not said',
  },
} as const

/** An image that was named on the command line, as an absolute path. */
export const chosenImage = (image: string): string => resolve(image)

/** The tools tree, from the lock and the cache alone. */
export const openTools = ({ project, emit, signal }: Context) => openTree({ project, suite: toolsSuite, emit, signal })

/** Throws `NOT_ROOT` unless this process may mount. */
export const requireRoot = (what: string): void => {
  if (process.getuid?.() === 0) return
  throw new PibakeError('NOT_ROOT', `${what} needs root.`, { hint: 'Run the same command with `sudo`.' })
}
