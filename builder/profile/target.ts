import type { Architecture } from '../host/architecture.ts'
import type { Suite } from './schema.ts'

/** What an image is for: the machine decides its processor, how it starts, and what it needs besides its stages. */
export type TargetName = 'rpi-arm64' | 'vm-amd64' | 'vm-arm64'

export interface Target {
  /** For people. */
  title: string
  architecture: Architecture
  /** `pi`: an MBR and the files that the Pi's firmware wants; `uefi`: a GPT with an EFI system partition. */
  firmware: 'pi' | 'uefi'
  /** Packages of the base that only this target has. */
  basePackages: readonly string[]
  /** Stages that every profile gets on this target, before its own. */
  stages: readonly string[]
  /** Suites that have what the target needs; all of them when not given. */
  suites?: readonly Suite[]
}

/** How the virtual machines differ from the Pi, whatever their processor. */
const virtualMachine = {
  firmware: 'uefi',
  basePackages: [],
  stages: ['uefi', 'cloud-init'],
  // bookworm's systemd-boot cannot be told more kernel options from outside, as every boot test does.
  suites: ['trixie', 'forky'],
} as const

export const targets: Readonly<Record<TargetName, Target>> = {
  'rpi-arm64': {
    title: 'Raspberry Pi 3, 4, Zero 2 W',
    architecture: 'arm64',
    firmware: 'pi',
    basePackages: ['firmware-brcm80211', 'raspi-firmware'],
    stages: [],
  },
  'vm-amd64': {
    ...virtualMachine,
    title: 'x86 machine with UEFI: virtual, rented, laptop, server',
    architecture: 'amd64',
  },
  'vm-arm64': {
    ...virtualMachine,
    title: 'ARM machine with UEFI: virtual, rented, server',
    architecture: 'arm64',
  },
}

/** What a bake is for when nothing is said. */
export const defaultTarget: TargetName = 'rpi-arm64'

export const targetNames = Object.keys(targets) as TargetName[]

/**
 * What the lock and the image of a profile are called, without their endings: `pub` on the Pi, elsewhere with the target
 * behind it, `pub-vm-amd64`.
 */
export const outputName = (profile: string, target: TargetName): string =>
  target === defaultTarget ? profile : `${profile}-${target}`

/** The profile and the target that an image is named for: the other way round than `outputName`. */
export const splitOutputName = (name: string): { profile: string; target: TargetName } => {
  const target = targetNames.find((item) => item !== defaultTarget && name.endsWith(`-${item}`)) ?? defaultTarget
  return { profile: target === defaultTarget ? name : name.slice(0, -target.length - 1), target }
}
