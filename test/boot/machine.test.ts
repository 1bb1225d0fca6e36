import test from 'ava'
import { boards } from '../../builder/boot/board.ts'
import {
  guestCommandLine,
  type MachineOptions,
  type MachineStart,
  machineArguments,
} from '../../builder/boot/machine.ts'
import { diskSizeBytes } from '../../builder/boot/overlay.ts'
import { PibakeError } from '../../builder/core/error.ts'

const cmdline = 'console=serial0,115200 console=tty1 root=PARTUUID=aabbccdd-02 rootwait quiet fsck.repair=yes\n'

test('the guest keeps its own root and options, and gets our console and side channel', (t) => {
  const words = guestCommandLine(cmdline, { board: 'virt' }).split(' ')
  t.true(words.includes('root=PARTUUID=aabbccdd-02'))
  t.true(words.includes('fsck.repair=yes'))
  t.deepEqual(
    words.filter((word) => word.startsWith('console=')),
    ['console=ttyAMA0'],
  )
  t.true(words.includes('systemd.debug_shell=ttyAMA1'))
  t.true(words.includes('systemd.mask=serial-getty@ttyAMA1.service'))
  t.true(words.includes('kpti=0'))
  t.false(words.includes('quiet'))
})

test('on raspi3b the shell is on the first UART and the console on the second', (t) => {
  const words = guestCommandLine(cmdline, { board: 'raspi3b' }).split(' ')
  t.true(words.includes('console=ttyS1,115200'))
  t.true(words.includes('systemd.debug_shell=ttyAMA0'))
  t.true(words.includes('systemd.mask=serial-getty@ttyAMA0.service'))
  t.true(words.includes('maxcpus=2'))
})

test('systemd waits longer for units and devices than on a machine that is not emulated', (t) => {
  const waits = (board: 'virt' | 'raspi3b') =>
    guestCommandLine(cmdline, { board })
      .split(' ')
      .filter((word) => /^systemd\.default_\w+_sec=/.test(word))
  for (const board of ['virt', 'raspi3b'] as const)
    t.deepEqual(waits(board), ['systemd.default_timeout_start_sec=360', 'systemd.default_device_timeout_sec=360'])
})

test('each board is given several times what its boot is expected to take', (t) => {
  for (const { title, expectedMs, bootTimeoutMs, patience } of Object.values(boards)) {
    t.true(bootTimeoutMs >= 4 * expectedMs, title)
    t.true(patience >= 1, title)
  }
  t.is(boards.virt.patience, 1)
})

test('an SSH key travels as a credential', (t) => {
  const key = 'ssh-ed25519 AAAAC3Nza someone'
  const line = guestCommandLine(cmdline, { board: 'virt', sshKey: key })
  const encoded = /systemd\.set_credential_binary=ssh\.authorized_keys\.root:(\S+)/.exec(line)?.[1] ?? ''
  t.is(Buffer.from(encoded, 'base64').toString(), key)
})

test('a host name travels as a unit for this boot, wanted by it', (t) => {
  const line = guestCommandLine(cmdline, { board: 'virt', hostname: 'mill' })
  const encoded = /set_credential_binary=systemd\.extra-unit\.pibake-name\.service:(\S+)/.exec(line)?.[1] ?? ''
  const unit = Buffer.from(encoded, 'base64').toString()
  t.regex(unit, /^ConditionPathExists=!\/boot\/firmware\/hostname$/m, 'a card keeps its own name')
  t.regex(unit, /^ExecStart=sh -c 'echo mill >\/boot\/firmware\/hostname'$/m)
  t.regex(unit, /^Before=pibake-first-boot-setup\.service$/m)
  t.true(line.split(' ').includes('systemd.wants=pibake-name.service'))
})

test('a command line that the kernel would cut off is refused', (t) => {
  const error = t.throws(() => guestCommandLine(cmdline, { board: 'virt', sshKey: 'k'.repeat(1600) }), {
    instanceOf: PibakeError,
  })
  t.is(error?.code, 'USAGE')
})

const options: MachineOptions = {
  board: 'virt',
  accelerator: 'tcg',
  start: { by: 'qemu', kernel: '/k', initramfs: '/i', deviceTree: undefined, commandLine: 'a b' },
  disk: '/d.qcow2',
  memoryMiB: 512,
  forwards: [{ guest: 22, host: 2222 }],
  shellSocket: 'shell.sock',
}

const flagValue = (args: readonly string[], flag: string): string | undefined => args[args.indexOf(flag) + 1]

test('virt: no way out of the guest but the forwards, and these only from loopback', (t) => {
  const args = machineArguments(options)
  t.is(flagValue(args, '-netdev'), 'user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:2222-:22')
  t.is(flagValue(args, '-drive'), 'if=none,file=/d.qcow2,format=qcow2,id=d0,cache=unsafe')
  t.is(flagValue(args, '-cpu'), 'cortex-a72')
  t.is(flagValue(args, '-initrd'), '/i')
  t.deepEqual(
    args.filter((_, index) => args[index - 1] === '-serial'),
    ['chardev:console', 'chardev:shell'],
  )
  t.true(args.includes('virtio-net-pci,netdev=n0,romfile='))
  t.false(args.includes('-dtb'))
})

test('virt: an interface for each cable, with its own address', (t) => {
  const args = machineArguments({
    ...options,
    mac: '52:54:00:00:00:00',
    ports: [
      { segment: 0, mac: '52:54:00:00:00:01', address: 'fd00::1', cable: { socket: '0', side: 'listen' } },
      { segment: 2, mac: '52:54:00:00:00:02', address: 'fd00::2', cable: { socket: '2', side: 'connect' } },
    ],
  })
  t.deepEqual(
    args.filter((word) => word.startsWith('virtio-net-pci,')),
    [
      'virtio-net-pci,netdev=n0,romfile=,mac=52:54:00:00:00:00',
      'virtio-net-pci,netdev=cable0,romfile=,mac=52:54:00:00:00:01',
      'virtio-net-pci,netdev=cable1,romfile=,mac=52:54:00:00:00:02',
    ],
  )
  t.deepEqual(
    args.filter((word) => word.startsWith('stream,')),
    [
      'stream,id=cable0,server=on,addr.type=unix,addr.path=/run/cables/0',
      'stream,id=cable1,server=off,reconnect-ms=500,addr.type=unix,addr.path=/run/cables/2',
    ],
  )
})

test('virt under KVM takes the processor of the host', (t) => {
  const args = machineArguments({ ...options, accelerator: 'kvm' })
  t.is(flagValue(args, '-machine'), 'virt,accel=kvm')
  t.is(flagValue(args, '-cpu'), 'host')
})

const byFirmware: MachineOptions = {
  ...options,
  board: 'uefi-amd64',
  start: { by: 'firmware', code: '/code.fd', variables: '/variables.fd', addition: '/addition' },
}

test('with UEFI the firmware starts what is on the disk, and is told what to add', (t) => {
  const args = machineArguments(byFirmware)
  const drives = args.filter((_, index) => args[index - 1] === '-drive')
  t.is(flagValue(args, '-machine'), 'q35')
  t.true(drives.includes('if=pflash,format=raw,unit=0,readonly=on,file=/code.fd'))
  t.true(drives.includes('if=pflash,format=raw,unit=1,file=/variables.fd'))
  t.is(flagValue(args, '-smbios'), 'type=11,path=/addition')
  t.true(args.includes('virtio-blk-pci,drive=d0,bootindex=0'))
  for (const flag of ['-kernel', '-initrd', '-append', '-bios']) t.false(args.includes(flag), flag)
})

test('firmware that has no memory of its own is a bios to QEMU', (t) => {
  const start = { ...byFirmware.start, variables: undefined }
  const args = machineArguments({ ...byFirmware, board: 'uefi-arm64', start })
  t.is(flagValue(args, '-machine'), 'virt')
  t.is(flagValue(args, '-bios'), '/code.fd')
  t.false(args.some((word) => word.startsWith('if=pflash')))
})

test('a seed for cloud-init is a second disk that is not written to', (t) => {
  const args = machineArguments({ ...byFirmware, seed: '/seed.img' })
  t.true(args.includes('if=none,file=/seed.img,format=raw,id=seed,readonly=on'))
  t.true(args.indexOf('virtio-blk-pci,drive=d0,bootindex=0') < args.indexOf('virtio-blk-pci,drive=seed'))
})

test('sticks are USB drives that are not written to', (t) => {
  const args = machineArguments({ ...options, sticks: ['/a.img', '/b.img'] })
  const valuesOf = (flag: string): string[] => args.filter((_, index) => args[index - 1] === flag)
  t.true(valuesOf('-drive').includes('if=none,file=/a.img,format=raw,id=stick0,readonly=on'))
  t.true(valuesOf('-drive').includes('if=none,file=/b.img,format=raw,id=stick1,readonly=on'))
  t.deepEqual(
    valuesOf('-device').filter((device) => /usb|xhci/.test(device)),
    ['qemu-xhci', 'usb-storage,drive=stick0,removable=on', 'usb-storage,drive=stick1,removable=on'],
  )
  t.false(machineArguments(options).includes('qemu-xhci'))
})

test('what a boot loader adds is short of the limit by what its own entry may have', (t) => {
  const sshKey = 'k'.repeat(1200)
  const words = guestCommandLine('', { board: 'uefi-amd64' }).split(' ')
  t.true(words.includes('console=ttyS0,115200'))
  t.true(words.includes('systemd.debug_shell=ttyS1'))
  t.notThrows(() => guestCommandLine('', { board: 'virt', sshKey }))
  t.throws(() => guestCommandLine('', { board: 'uefi-amd64', sshKey }), { code: 'USAGE' })
})

test('raspi3b: SD card, device tree, shell on the first UART', (t) => {
  const args = machineArguments({
    ...options,
    board: 'raspi3b',
    start: { by: 'qemu', kernel: '/k', initramfs: undefined, deviceTree: '/t.dtb', commandLine: 'a b' },
  })
  t.is(flagValue(args, '-m'), '1024')
  t.is(flagValue(args, '-dtb'), '/t.dtb')
  t.is(flagValue(args, '-serial'), 'chardev:shell')
  t.true(flagValue(args, '-drive')?.startsWith('if=sd,'))
  t.false(args.includes('-initrd'))
})

test('the disk has room for the root to grow; an SD card is a power of two', (t) => {
  const imageBytes = 1_500_000_000
  t.is(diskSizeBytes(imageBytes, 'virt') % 512, 0)
  t.true(diskSizeBytes(imageBytes, 'virt') >= imageBytes + 2 ** 30)
  t.is(diskSizeBytes(imageBytes, 'raspi3b'), 2 ** 32)
})

test('a disk whose writes are taken down hears the flushes of the guest', (t) => {
  t.regex(flagValue(machineArguments(options), '-drive') ?? '', /cache=unsafe/)
  const logged = flagValue(machineArguments({ ...options, writeLog: '/tmp/log' }), '-drive') ?? ''
  t.regex(logged, /driver=blklogwrites,.*cache=writeback,.*log\.filename=\/tmp\/log/)
  t.notRegex(logged, /unsafe/)
})

test('a kernel of 32 bits gets a processor and a bus that it can use, and reads half as long a command line', (t) => {
  const args = machineArguments({ ...options, start: { ...options.start, bits: 32 } as MachineStart })
  t.is(flagValue(args, '-cpu'), 'cortex-a15')
  t.is(flagValue(args, '-machine'), 'virt,highmem=off')
  const key = { board: 'virt', sshKey: 'k'.repeat(700) } as const
  t.notThrows(() => guestCommandLine(cmdline, key))
  const error = t.throws(() => guestCommandLine(cmdline, { ...key, bits: 32 }), { instanceOf: PibakeError })
  t.regex(error.hint, /reads 1023/)
})
