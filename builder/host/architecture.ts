import { PibakeError } from '../core/error.ts'

/** Debian's architecture names that pibake meets. */
export type Architecture = 'amd64' | 'arm64' | 'armhf'

/**
 * What differs between architectures: the multiarch triplet, the dynamic linker's path, qemu's program, and how an ELF
 * header says whose program a file is: bits of a word, and `e_machine` (System V ABI, chapter 4).
 */
export const architectures: Readonly<
  Record<Architecture, { triplet: string; linker: string; emulator: string; bits: 32 | 64; elfMachine: number }>
> = {
  amd64: {
    triplet: 'x86_64-linux-gnu',
    linker: '/lib64/ld-linux-x86-64.so.2',
    emulator: 'qemu-x86_64',
    bits: 64,
    elfMachine: 62,
  },
  arm64: {
    triplet: 'aarch64-linux-gnu',
    linker: '/lib/ld-linux-aarch64.so.1',
    emulator: 'qemu-aarch64',
    bits: 64,
    elfMachine: 183,
  },
  armhf: {
    triplet: 'arm-linux-gnueabihf',
    linker: '/lib/ld-linux-armhf.so.3',
    emulator: 'qemu-arm',
    bits: 32,
    elfMachine: 40,
  },
}

/** How programs of an architecture begin, in hex: a little-endian ELF header up to `e_machine`, as binfmt_misc shows it. */
export const elfMagic = (architecture: Architecture): string => {
  const { bits, elfMachine } = architectures[architecture]
  const head = Buffer.from([0x7f, 0x45, 0x4c, 0x46, bits / 32, 1, 1, ...Array<number>(9).fill(0), 2, 0, elfMachine, 0])
  return head.toString('hex')
}

/** Debian's name for the machine that pibake runs on. */
export const hostArchitecture = (): Architecture => {
  if (process.arch === 'x64') return 'amd64'
  if (process.arch === 'arm64') return 'arm64'
  throw new PibakeError('HOST_UNSUPPORTED', `pibake does not run on \`${process.arch}\` machines.`, {
    hint: 'Use a 64-bit x86 or ARM machine with Linux.',
  })
}
