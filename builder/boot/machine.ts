import { PibakeError } from '../core/error.ts'
import { type Board, type BoardTraits, boards } from './board.ts'
import { cableArguments, type NetworkPort } from './cables.ts'

/** A port of the guest that is reachable on a port of the loopback interface QEMU runs beside. */
export interface Forward {
  guest: number
  host: number
}

export type Accelerator = 'tcg' | 'kvm'

/** What systemd gives a unit to start and a device to appear, instead of 90 s: emulated, a busy machine needs more. */
const systemdTimeoutSeconds = 360

/** The kernel ignores what lies beyond (COMMAND_LINE_SIZE of arch/{arm64,arm,x86}/include/*asm/setup.h). */
const commandLineLimits = { 64: 2048, 32: 1024 } as const
/** Of these, what the entry of an image's own boot loader may take. */
const loaderOptionsBytes = 300

const credential = (name: string, value: string): string =>
  `systemd.set_credential_binary=${name}:${Buffer.from(value).toString('base64')}`

const nameUnit = 'pibake-name.service'

/**
 * A unit for this boot only, as a credential (systemd-debug-generator(8)): it puts the host name where the first boot
 * looks for one. A card that was given a name of its own keeps it.
 */
const nameWords = (hostname: string): string[] => {
  const unit = [
    '[Unit]',
    'DefaultDependencies=no',
    'RequiresMountsFor=/boot/firmware',
    'ConditionPathExists=!/boot/firmware/hostname',
    'Before=pibake-first-boot-setup.service',
    '[Service]',
    'Type=oneshot',
    `ExecStart=sh -c 'echo ${hostname} >/boot/firmware/hostname'`,
    '',
  ].join('\n')
  return [credential(`systemd.extra-unit.${nameUnit}`, unit), `systemd.wants=${nameUnit}`]
}

/** What a boot under QEMU changes of a system, for this boot only. */
export interface GuestOptions {
  board: Board
  /** Of the words that the kernel is made for; 64 when not given. */
  bits?: 32 | 64
  sshKey?: string
  autologin?: boolean
  hostname?: string
}

/**
 * The kernel command line for a boot under QEMU: the image's own `cmdline.txt` with its consoles replaced (empty where the
 * image's boot loader has one, and only adds to it), a root shell on a side channel, and without the mitigations that more than double the time of an emulated boot.
 * `sshKey` is the text of a public key for root, `autologin` opens a root shell on the serial console; both hold for
 * this boot only. `hostname` names a system that boots for the first time. Throws `USAGE` when the line would be cut off
 * by the kernel.
 */
export const guestCommandLine = (cmdline: string, options: GuestOptions): string => {
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
  const limit = commandLineLimits[options.bits ?? 64] - (boards[options.board].firmware ? loaderOptionsBytes : 0)
  if (line.length >= limit) {
    throw new PibakeError('USAGE', `The kernel command line would have ${line.length} characters.`, {
      hint: `The kernel reads ${limit - 1}: use a shorter SSH key, such as an ed25519 one.`,
    })
  }
  return line
}

/** How a machine is started; all paths are of QEMU's. */
export type MachineStart =
  | {
      by: 'qemu'
      kernel: string
      /** Of the words that the kernel is made for; 64 when not given. */
      bits?: 32 | 64
      initramfs: string | undefined
      deviceTree: string | undefined
      commandLine: string
    }
  /** `addition` is a file with what systemd-boot adds to the kernel command line, see systemd-boot(7). */
  | { by: 'firmware'; code: string; variables: string | undefined; addition: string }

export interface MachineOptions {
  board: Board
  accelerator: Accelerator
  start: MachineStart
  /** The qcow2 overlay. */
  disk: string
  /** A second disk, raw and not written to. */
  seed?: string
  /** Disks that are plugged in as USB sticks, raw and not written to; not for `raspi3b`. */
  sticks?: readonly string[]
  memoryMiB: number
  forwards: readonly Forward[]
  /** Address of the interface that the forwards lead to; QEMU's own choice when not given. Not for `raspi3b`. */
  mac?: string
  /** Further interfaces; not for `raspi3b`. */
  ports?: readonly NetworkPort[]
  /** A file that takes down every write to the disk, see `write-log.ts`. Not for `raspi3b`. */
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

/** The machine and the processor that emulation plays, by architecture. */
const machines: Readonly<Record<BoardTraits['qemu'], { machine: string; cpu: string }>> = {
  'qemu-system-aarch64': { machine: 'virt', cpu: 'cortex-a72' },
  'qemu-system-x86_64': { machine: 'q35', cpu: 'max' },
}

/** A processor of 32 bits reaches nothing beyond 4 GiB, where the machine has its PCI bus otherwise. */
const processorArguments = ({ board, accelerator, start }: MachineOptions): string[] => {
  if (start.by === 'qemu' && start.bits === 32) return ['-machine', 'virt,highmem=off', '-cpu', 'cortex-a15']
  const { machine, cpu } = machines[boards[board].qemu]
  return accelerator === 'kvm'
    ? ['-machine', `${machine},accel=kvm`, '-cpu', 'host']
    : ['-machine', machine, '-cpu', cpu]
}

const seedArguments = (seed: string | undefined): string[] =>
  seed === undefined
    ? []
    : ['-drive', `if=none,file=${seed},format=raw,id=seed,readonly=on`, '-device', 'virtio-blk-pci,drive=seed']

const stickArguments = (sticks: readonly string[]): string[] =>
  sticks.length === 0
    ? []
    : [
        ...['-device', 'qemu-xhci'],
        ...sticks.flatMap((file, index) => [
          ...['-drive', `if=none,file=${file},format=raw,id=stick${index},readonly=on`],
          ...['-device', `usb-storage,drive=stick${index},removable=on`],
        ]),
      ]

const virtArguments = (options: MachineOptions): string[] => [
  ...processorArguments(options),
  ...['-smp', '2', '-m', String(options.memoryMiB)],
  ...driveArguments(options),
  // The firmware starts from this disk and looks no further.
  ...['-device', `virtio-blk-pci,drive=d0${options.start.by === 'firmware' ? ',bootindex=0' : ''}`],
  ...seedArguments(options.seed),
  ...stickArguments(options.sticks ?? []),
  ...['-device', virtioNetwork('n0', options.mac)],
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

const startArguments = (start: MachineStart): string[] => {
  if (start.by === 'firmware') {
    const { code, variables, addition } = start
    const flash =
      variables === undefined
        ? ['-bios', code]
        : [
            ...['-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${code}`],
            ...['-drive', `if=pflash,format=raw,unit=1,file=${variables}`],
          ]
    return [...flash, '-smbios', `type=11,path=${addition}`]
  }
  const { kernel, initramfs, deviceTree, commandLine } = start
  return [
    ...['-kernel', kernel],
    ...(initramfs === undefined ? [] : ['-initrd', initramfs]),
    ...(deviceTree === undefined ? [] : ['-dtb', deviceTree]),
    ...['-append', commandLine],
  ]
}

/**
 * QEMU's arguments. The serial console is on QEMU's standard input and output; the guest's network reaches nothing but
 * QEMU itself; a reboot of the guest ends QEMU.
 */
export const machineArguments = (options: MachineOptions): string[] => [
  ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
  ...['-chardev', 'stdio,id=console,signal=off'],
  ...['-chardev', `socket,id=shell,path=${options.shellSocket},server=on,wait=off`],
  ...['-netdev', networkArguments(options.forwards)],
  ...(options.board === 'raspi3b' ? raspi3bArguments(options) : virtArguments(options)),
  ...startArguments(options.start),
]
