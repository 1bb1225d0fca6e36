import { PibakeError } from '../core/error.ts'

/** Debian's architecture names that pibake meets. */
export type Architecture = 'amd64' | 'arm64' | 'armhf'

/** What differs between architectures: the multiarch triplet and the dynamic linker's path. */
export const architectures: Readonly<Record<Architecture, { triplet: string; linker: string }>> = {
  amd64: { triplet: 'x86_64-linux-gnu', linker: '/lib64/ld-linux-x86-64.so.2' },
  arm64: { triplet: 'aarch64-linux-gnu', linker: '/lib/ld-linux-aarch64.so.1' },
  armhf: { triplet: 'arm-linux-gnueabihf', linker: '/lib/ld-linux-armhf.so.3' },
}

/** Debian's name for the machine that pibake runs on. */
export const hostArchitecture = (): Architecture => {
  if (process.arch === 'x64') return 'amd64'
  if (process.arch === 'arm64') return 'arm64'
  throw new PibakeError('HOST_UNSUPPORTED', `pibake does not run on \`${process.arch}\` machines.`, {
    hint: 'Use a 64-bit x86 or ARM machine with Linux.',
  })
}
