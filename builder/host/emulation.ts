import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PibakeError } from '../core/error.ts'
import { probeBinfmt } from './capabilities.ts'
import { mountRegistrations } from './mount.ts'
import type { Tools } from './sandbox.ts'

/** How the kernel starts arm64 programs on a machine of another architecture. */
export type Emulation =
  /** Through the dispatcher, registered in the bake's own binfmt_misc: native twins are possible. */
  | 'private'
  /** Through what the host has registered for all: qemu-user for everything. */
  | 'host'

/** The ELF magic of arm64 programs, as binfmt_misc shows it. */
const arm64Magic = '7f454c460201010000000000000000000200b700'

/**
 * Whether a registration, as its file in binfmt_misc reads, starts arm64 programs in any root: enabled, for their magic,
 * and with flag F, which keeps the interpreter open (Documentation/admin-guide/binfmt-misc.rst).
 */
export const startsArm64 = (registration: string): boolean =>
  /^enabled$/m.test(registration) &&
  /^flags: \w*F/m.test(registration) &&
  registration.includes(`\nmagic ${arm64Magic}\n`)

/**
 * Find out how arm64 programs can be started here. `folder` is an empty one to mount on, in a mount namespace of
 * pibake's own. Throws `HOST_UNSUPPORTED` where neither way is open.
 */
export const findEmulation = async (tools: Tools, folder: string, signal: AbortSignal): Promise<Emulation> => {
  const probe = await probeBinfmt(signal)
  if (probe.state === 'ok') return 'private'
  await using registrations = await mountRegistrations(tools, folder)
  for (const name of await readdir(registrations.path)) {
    if (name === 'register' || name === 'status') continue
    if (startsArm64(await readFile(join(registrations.path, name), 'utf8'))) return 'host'
  }
  throw new PibakeError(
    'HOST_UNSUPPORTED',
    'This machine cannot run arm64 programs: its kernel is older than Linux 6.7.',
    {
      hint: 'Boot a newer kernel (Debian 12 has one in its backports), or install `qemu-user-static`, which is slower.',
      details: [probe.found],
    },
  )
}
