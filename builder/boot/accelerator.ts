import { access, constants, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hostArchitecture } from '../host/architecture.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import { type Board, boards } from './board.ts'
import type { Accelerator } from './machine.ts'

/** The shortest guest that ends by itself, and how QEMU is to start it. */
interface Probe {
  program: Buffer
  machine: string
  cpu: string
  load: (path: string) => string[]
}

/**
 * On ARM `mov w0, #0x84000008; hvc #0; b .`, PSCI's SYSTEM_OFF (Arm DEN 0022), above the device tree that QEMU puts at
 * the start of RAM (0x40000000, hw/arm/virt.c).
 */
const armProbe: Probe = {
  program: Buffer.from(new Uint32Array([0x52800100, 0x72b08000, 0xd4000002, 0x14000000]).buffer),
  machine: 'virt',
  cpu: 'cortex-a53',
  load: (path) => ['-device', `loader,file=${path},addr=0x40100000,cpu-num=0,force-raw=on`],
}

/** A ROM of 64 KiB whose last 16 bytes, where an x86 processor starts, say `mov al, 0xfe; out 0x64, al; hlt`: the reset of the keyboard controller. */
const resetRom = Buffer.alloc(64 << 10, 0xf4)
resetRom.set([0xb0, 0xfe, 0xe6, 0x64], resetRom.length - 16)

const x86Probe: Probe = {
  program: resetRom,
  machine: 'q35',
  cpu: 'qemu64',
  load: (path) => ['-bios', path, '-no-reboot'],
}

/** Start a guest that only ends itself; whether it did within 10 s. */
export const canRunGuest = async (
  tools: Tools,
  { board, accelerator }: { board: Board; accelerator: Accelerator },
  options: { folder: string; signal?: AbortSignal },
): Promise<boolean> => {
  const { architecture, qemu } = boards[board]
  const { program, machine, cpu, load } = architecture === 'amd64' ? x86Probe : armProbe
  const path = join(options.folder, 'probe.bin')
  await writeFile(path, program)
  const what = ['-machine', `${machine},accel=${accelerator}`, '-cpu', accelerator === 'kvm' ? 'host' : cpu, '-m', '64']
  try {
    await runTool(tools, [qemu, ...what, '-nodefaults', '-display', 'none', ...load(path)], {
      readOnly: [options.folder],
      devices: accelerator === 'kvm' ? ['/dev/kvm'] : [],
      timeoutMs: 10_000,
      ...(options.signal ? { signal: options.signal } : {}),
    })
    return true
  } catch {
    options.signal?.throwIfAborted()
    return false
  }
}

/** KVM where the host has the board's processor and a guest really starts (nested machines may open /dev/kvm in vain), else emulation. */
export const chooseAccelerator = async (
  tools: Tools,
  board: Board,
  options: { folder: string; signal?: AbortSignal },
): Promise<Accelerator> => {
  if (board === 'raspi3b' || hostArchitecture() !== boards[board].architecture) return 'tcg'
  const openable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )
  return openable && (await canRunGuest(tools, { board, accelerator: 'kvm' }, options)) ? 'kvm' : 'tcg'
}
