import { PibakeError } from '../core/error.ts'
import { cableArguments, type NetworkPort } from './cables.ts'

/** The machines an image can be booted on. */
export type Board = 'virt' | 'raspi3b'

/** A port of the guest that is reachable on a port of the loopback interface QEMU runs beside. */
export interface Forward {
  guest: number
  host: number
}

export type Accelerator = 'tcg' | 'kvm'

export interface BoardTraits {
  title: string
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

/** What differs between the boards. */
export const boards: Readonly<Record<Board, BoardTraits>> = {
  virt: {
    title: 'QEMU virt',
    console: 'ttyAMA0',
    // Its driver is part of every kernel: the line is there before systemd, which gives a shell only five tries.
    shell: 'ttyAMA1',
    models: new Set(['pi4']),
    deviceTree: undefined,
    expectedMs: 40_000,
    bootTimeoutMs: 600_000,
    patience: 1,
  },
  raspi3b: {
    title: 'Raspberry Pi 3 B',
    console: 'ttyS1,115200',
    shell: 'ttyAMA0',
    models: new Set(['pi3']),
    deviceTree: 'bcm2837-rpi-3-b.dtb',
    expectedMs: 100_000,
    bootTimeoutMs: 1_200_000,
    patience: 4,
  },
}

/** What systemd gives a unit to start and a device to appear, instead of 90 s: emulated, a busy machine needs more. */
const systemdTimeoutSeconds = 360

/** The kernel ignores what lies beyond (COMMAND_LINE_SIZE of arch/{arm64,arm}/include/uapi/asm/setup.h). */
const commandLineLimits = { 64: 2048, 32: 1024 } as const

const credential = (name: string, value: string): string =>
  `systemd.set_credential_binary=${name}:${Buffer.from(value).toString('base64')}`

const nameUnit = 'pibake-name.service'

/**
 * A unit for this boot only, as a credential (systemd-debug-generator(8)): it puts the host name where the first boot
 * looks for one.
 */
const nameWords = (hostname: string): string[] => {
  const unit = [
    '[Unit]',
    'DefaultDependencies=no',
    'RequiresMountsFor=/boot/firmware',
    'Before=pibake-first-boot-setup.service',
    '[Service]',
    'Type=oneshot',
    `ExecStart=sh -c 'echo ${hostname} >/boot/firmware/hostname'`,
    '',
  ].join('\n')
  return [credential(`systemd.extra-unit.${nameUnit}`, unit), `systemd.wants=${nameUnit}`]
}

/**
 * The kernel command line for a boot under QEMU: the image's own `cmdline.txt` with its consoles replaced, a root shell
 * on a side channel, and without the mitigations that more than double the time of an emulated boot.
 * `sshKey` is the text of a public key for root, `autologin` opens a root shell on the serial console; both hold for
 * this boot only. `hostname` names a system that boots for the first time. Throws `USAGE` when the line would be cut off
 * by the kernel.
 */
export const guestCommandLine = (
  cmdline: string,
  options: { board: Board; bits?: 32 | 64; sshKey?: string; autologin?: boolean; hostname?: string },
): string => {
  const { console, shell } = boards[options.board]
  const dropped = /^(console=.*|quiet|splash|plymouth\..*|loglevel=.*)$/
  const kept = cmdline.split(/\s+/).filter((word) => word !== '' && !dropped.test(word))
  const added = [
    `console=${console}`,
    'mitigations=off',
    'kpti=0',
    'nokaslr',
    `systemd.debug_shell=${shell}`,
    `systemd.mask=serial-getty@${shell}.service`,
  ]
  if (options.board === 'raspi3b') added.push('maxcpus=2')
  for (const name of ['default_timeout_start_sec', 'default_device_timeout_sec']) {
    added.push(`systemd.${name}=${systemdTimeoutSeconds}`)
  }
  if (options.sshKey !== undefined) added.push(credential('ssh.authorized_keys.root', options.sshKey))
  if (options.autologin) added.push(credential('agetty.autologin', 'root'), credential('login.noauth', 'yes'))
  if (options.hostname !== undefined) added.push(...nameWords(options.hostname))
  const line = [...kept, ...added].join(' ')
  const limit = commandLineLimits[options.bits ?? 64]
  if (line.length >= limit) {
    throw new PibakeError('USAGE', `The kernel command line would have ${line.length} characters.`, {
      hint: `The kernel reads ${limit - 1}: use a shorter SSH key, such as an ed25519 one.`,
    })
  }
  return line
}

export interface MachineOptions {
  board: Board
  accelerator: Accelerator
  kernel: string
  /** Of the words that the kernel is made for; 64 when not given. */
  bits?: 32 | 64
  initramfs: string | undefined
  deviceTree: string | undefined
  commandLine: string
  /** The qcow2 overlay. */
  disk: string
  memoryMiB: number
  forwards: readonly Forward[]
  /** Address of the interface that the forwards lead to; QEMU's own choice when not given. Not for `raspi3b`. */
  mac?: string
  /** Further interfaces, for `virt` only. */
  ports?: readonly NetworkPort[]
  /** A file that takes down every write to the disk, see `write-log.ts`. For `virt` only. */
  writeLog?: string
  /** Path of the unix socket on which QEMU serves the root shell; relative to QEMU's working folder. */
  shellSocket: string
}

const networkArguments = (forwards: readonly Forward[]): string =>
  ['user,id=n0,restrict=on', ...forwards.map(({ guest, host }) => `hostfwd=tcp:127.0.0.1:${host}-:${guest}`)].join(',')

const virtioNetwork = (backend: string, mac: string | undefined): string =>
  `virtio-net-pci,netdev=${backend},romfile=${mac === undefined ? '' : `,mac=${mac}`}`

/**
 * A disk that may vanish afterwards ignores the guest's flushes. One whose writes are taken down must let them through to
 * the log, but neither the disk nor the log needs them.
 */
const driveArguments = ({ disk, writeLog }: MachineOptions): string[] => {
  if (writeLog === undefined) return ['-drive', `if=none,file=${disk},format=qcow2,id=d0,cache=unsafe`]
  const below = `file.driver=qcow2,file.file.driver=file,file.file.filename=${disk},file.cache.no-flush=on`
  const log = `log.driver=file,log.filename=${writeLog},log.cache.no-flush=on`
  return ['-drive', `if=none,driver=blklogwrites,id=d0,cache=writeback,${below},${log}`]
}

/** A processor of 32 bits reaches nothing beyond 4 GiB, where the machine has its PCI bus otherwise. */
const virtProcessor = ({ bits, accelerator }: MachineOptions): string[] => {
  if (bits === 32) return ['-machine', 'virt,highmem=off', '-cpu', 'cortex-a15']
  return accelerator === 'kvm'
    ? ['-machine', 'virt,accel=kvm', '-cpu', 'host']
    : ['-machine', 'virt', '-cpu', 'cortex-a72']
}

const virtArguments = (options: MachineOptions): string[] => [
  ...virtProcessor(options),
  ...['-smp', '2', '-m', String(options.memoryMiB)],
  ...driveArguments(options),
  ...['-device', 'virtio-blk-pci,drive=d0', '-device', virtioNetwork('n0', options.mac)],
  ...(options.ports ?? []).flatMap(({ mac, cable }, index) => [
    ...cableArguments(`cable${index}`, cable),
    ...['-device', virtioNetwork(`cable${index}`, mac)],
  ]),
  ...['-device', 'virtio-rng-pci'],
  ...['-serial', 'chardev:console', '-serial', 'chardev:shell'],
]

/**
 * The board's own network chip is not emulated. Linux calls a USB adapter `eth0` only when its address is a maker's, as
 * the chip's is (drivers/net/usb/usbnet.c); this one begins with what Raspberry Pi's do.
 */
const boardAddress = 'b8:27:eb:12:34:56'

const raspi3bArguments = (options: MachineOptions): string[] => [
  ...['-machine', 'raspi3b', '-global', 'bcm2837.enabled-cpus=2', '-m', '1024'],
  ...[
    '-drive',
    `if=sd,file=${options.disk},format=qcow2,cache=unsafe`,
    '-device',
    `usb-net,netdev=n0,mac=${boardAddress}`,
  ],
  ...['-serial', 'chardev:shell', '-serial', 'chardev:console'],
]

/**
 * QEMU's arguments. The serial console is on QEMU's standard input and output; the guest's network reaches nothing but
 * QEMU itself; a reboot of the guest ends QEMU.
 */
export const machineArguments = (options: MachineOptions): string[] => [
  ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
  ...['-chardev', 'stdio,id=console,signal=off'],
  ...['-chardev', `socket,id=shell,path=${options.shellSocket},server=on,wait=off`],
  ...['-netdev', networkArguments(options.forwards)],
  ...(options.board === 'virt' ? virtArguments(options) : raspi3bArguments(options)),
  ...['-kernel', options.kernel],
  ...(options.initramfs === undefined ? [] : ['-initrd', options.initramfs]),
  ...(options.deviceTree === undefined ? [] : ['-dtb', options.deviceTree]),
  ...['-append', options.commandLine],
]
