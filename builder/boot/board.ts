import type { Architecture } from '../host/architecture.ts'

/** The machines an image can be booted on. Those with UEFI start what is on the image's own EFI system partition. */
export type Board = 'virt' | 'raspi3b' | 'uefi-amd64' | 'uefi-arm64'

/** UEFI firmware in the tools tree. */
export interface Firmware {
  code: string
  /** The empty memory of its settings, which each boot gets a copy of; where there is none, QEMU's machine has it. */
  variables?: string
}

export interface BoardTraits {
  title: string
  architecture: Architecture
  /** The program of QEMU that plays it. */
  qemu: 'qemu-system-aarch64' | 'qemu-system-x86_64'
  /** Undefined where pibake itself hands kernel and command line to QEMU. */
  firmware: Firmware | undefined
  /** The kernel's name of the serial console, and of the line that carries the root shell. */
  console: string
  shell: string
  /** Sections of config.txt that apply to it. */
  models: ReadonlySet<string>
  deviceTree: string | undefined
  /** How long a boot takes on an idle machine, for the display. */
  expectedMs: number
  /** For the whole boot; several times what it takes, for emulation is slow on a busy machine. */
  bootTimeoutMs: number
  /** By how much the time-outs of checks and commands, which are made for `virt`, are multiplied. */
  patience: number
}

const virt: BoardTraits = {
  title: 'QEMU virt',
  architecture: 'arm64',
  qemu: 'qemu-system-aarch64',
  firmware: undefined,
  console: 'ttyAMA0',
  // Its driver is part of every kernel: the line is there before systemd, which gives a shell only five tries.
  shell: 'ttyAMA1',
  models: new Set(['pi4']),
  deviceTree: undefined,
  expectedMs: 40_000,
  bootTimeoutMs: 600_000,
  patience: 1,
}

/** What differs between the boards. */
export const boards: Readonly<Record<Board, BoardTraits>> = {
  virt,
  raspi3b: {
    ...virt,
    title: 'Raspberry Pi 3 B',
    console: 'ttyS1,115200',
    shell: 'ttyAMA0',
    models: new Set(['pi3']),
    deviceTree: 'bcm2837-rpi-3-b.dtb',
    expectedMs: 100_000,
    bootTimeoutMs: 1_200_000,
    patience: 4,
  },
  'uefi-amd64': {
    ...virt,
    title: 'x86 machine with UEFI',
    architecture: 'amd64',
    qemu: 'qemu-system-x86_64',
    firmware: { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
    console: 'ttyS0,115200',
    shell: 'ttyS1',
    expectedMs: 90_000,
  },
  'uefi-arm64': {
    ...virt,
    title: 'ARM machine with UEFI',
    firmware: { code: '/usr/share/qemu-efi-aarch64/QEMU_EFI.fd' },
    expectedMs: 90_000,
  },
}
