import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PibakeError } from '../core/error.ts'
import { type Architecture, architectures, elfMagic, hostArchitecture } from './architecture.ts'
import { probeBinfmt, probeUserNamespace } from './capabilities.ts'
import { mountRegistrations } from './mount.ts'
import type { Tools } from './sandbox.ts'

/** How the kernel starts the programs of a target on a machine of another architecture. */
export type Emulation =
  /** Through the dispatcher, registered in the bake's own binfmt_misc: native twins are possible. */
  | 'private'
  /** Through what the host has registered for all: qemu-user for everything. */
  | 'host'

/**
 * Whether a registration, as its file in binfmt_misc reads, starts an architecture's programs in any root: enabled, for
 * their magic, and with flag F, which keeps the interpreter open (Documentation/admin-guide/binfmt-misc.rst).
 */
export const startsPrograms = (registration: string, architecture: Architecture): boolean =>
  /^enabled$/m.test(registration) &&
  /^flags: \w*F/m.test(registration) &&
  registration.includes(`\nmagic ${elfMagic(architecture)}\n`)

/**
 * Find out how programs of `architecture` can be started here. `folder` is an empty one to mount on, in a mount namespace
 * of pibake's own. Throws `HOST_UNSUPPORTED` where neither way is open.
 */
export const findEmulation = async (
  architecture: Architecture,
  options: { tools: Tools; folder: string; signal: AbortSignal },
): Promise<Emulation> => {
  const { tools, folder, signal } = options
  const host = hostArchitecture()
  const probe = await probeBinfmt(signal)
  // The dispatcher is a program for amd64.
  if (host === 'amd64' && probe.state === 'ok') return 'private'
  await using registrations = await mountRegistrations(tools, folder)
  for (const name of await readdir(registrations.path)) {
    if (name === 'register' || name === 'status') continue
    if (startsPrograms(await readFile(join(registrations.path, name), 'utf8'), architecture)) return 'host'
  }
  if (host !== 'amd64') {
    throw new PibakeError('HOST_UNSUPPORTED', `This ${host} machine has no way to run ${architecture} programs.`, {
      hint: 'Install `qemu-user-static`, which registers one for all of the machine.',
    })
  }
  const namespaces = await probeUserNamespace(signal)
  const [reason, hint] =
    namespaces.state === 'ok'
      ? [
          'its kernel is older than Linux 6.7',
          'Boot a newer kernel (Debian 12 has one in its backports), or install `qemu-user-static`, which is slower.',
        ]
      : ['user namespaces cannot be made here', namespaces.fix]
  throw new PibakeError('HOST_UNSUPPORTED', `This machine cannot run ${architecture} programs: ${reason}.`, {
    hint,
    details: [probe.found],
  })
}

/**
 * Refuse to bake a 32-bit system under qemu-user alone: programs that walk the folders of kernel modules find only part of
 * them there, without a word, and the initramfs lacks the drivers: ext4 says where it is in a folder with 64 bits, which
 * qemu-user hands on to a readdir(3) of 32 (https://gitlab.com/qemu-project/qemu/-/issues/263). Throws `HOST_UNSUPPORTED`.
 */
export const assertSound = (
  architecture: Architecture,
  { emulation, twins }: { emulation: Emulation | undefined; twins: boolean },
): void => {
  if (architectures[architecture].bits === 64 || emulation === undefined || (twins && emulation === 'private')) return
  throw new PibakeError('HOST_UNSUPPORTED', `A system for ${architecture} cannot be baked without native twins.`, {
    hint: 'Bake it on an amd64 machine with Linux 6.7 or newer, and leave `--no-twins` away.',
  })
}
