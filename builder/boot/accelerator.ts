import { access, constants, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hostArchitecture } from '../host/architecture.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import type { Accelerator, Board } from './machine.ts'

/** `mov w0, #0x84000008; hvc #0; b .`: PSCI's SYSTEM_OFF (Arm DEN 0022), the shortest guest that ends by itself. */
const powerOffProgram = Buffer.from(new Uint32Array([0x52800100, 0x72b08000, 0xd4000002, 0x14000000]).buffer)

/** Above the device tree that QEMU puts at the start of RAM (0x40000000, hw/arm/virt.c). */
const programAddress = '0x40100000'

/** Start a guest that only powers off; whether it did within 10 s. */
export const canRunGuest = async (
  tools: Tools,
  accelerator: Accelerator,
  options: { folder: string; signal?: AbortSignal },
): Promise<boolean> => {
  const program = join(options.folder, 'power-off.bin')
  await writeFile(program, powerOffProgram)
  const cpu = accelerator === 'kvm' ? 'host' : 'cortex-a53'
  const machine = ['-machine', `virt,accel=${accelerator}`, '-cpu', cpu, '-m', '64', '-nodefaults', '-display', 'none']
  const loader = ['-device', `loader,file=${program},addr=${programAddress},cpu-num=0,force-raw=on`]
  try {
    await runTool(tools, ['qemu-system-aarch64', ...machine, ...loader], {
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

/** KVM where the host is arm64 and a guest really starts (nested machines may open /dev/kvm in vain), else emulation. */
export const chooseAccelerator = async (
  tools: Tools,
  board: Board,
  options: { folder: string; signal?: AbortSignal },
): Promise<Accelerator> => {
  if (board !== 'virt' || hostArchitecture() !== 'arm64') return 'tcg'
  const openable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )
  return openable && (await canRunGuest(tools, 'kvm', options)) ? 'kvm' : 'tcg'
}
