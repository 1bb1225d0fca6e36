import { mkdtemp, open, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bootImage } from '../../builder/boot/boot.ts'
import { extractBootFiles } from '../../builder/boot/boot-files.ts'
import { createConsole } from '../../builder/boot/console.ts'
import { machineArguments } from '../../builder/boot/machine.ts'
import { createOverlay } from '../../builder/boot/overlay.ts'
import { spawnTool, type Tools } from '../../builder/host/sandbox.ts'
import { measure } from './measure.ts'
import type { Row, Say } from './result.ts'

const timeoutMs = 900_000

const connectTo = async (path: string): Promise<Socket> => {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const { promise, resolve, reject } = Promise.withResolvers<Socket>()
    const socket = connect(path)
    socket.once('connect', () => resolve(socket)).once('error', reject)
    const found = await promise.catch(() => undefined)
    if (found) return found
    await sleep(100)
  }
  throw new Error('QEMU did not start')
}

/** Boot with QEMU's usual options and the image's own command line, and wait until systemd says that the boot is over. */
const bootBare = async (tools: Tools, image: string, scratch: string, signal: AbortSignal): Promise<void> => {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(scratch, 'bare-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const { cmdline, ...files } = await extractBootFiles({ tools, image, board: 'virt', folder, signal })
  const disk = stack.use(await createOverlay({ tools, image, board: 'virt', folder, signal }))
  const plain: Readonly<Record<string, string>> = { 'cortex-a72': 'max' }
  const args = machineArguments({
    board: 'virt',
    accelerator: 'tcg',
    start: {
      by: 'qemu',
      ...files,
      // A root shell on a line of its own is what asks whether the boot is over.
      commandLine: `${cmdline} console=ttyAMA0 systemd.debug_shell=ttyAMA1 systemd.mask=serial-getty@ttyAMA1.service`,
    },
    disk: disk.path,
    memoryMiB: 1024,
    forwards: [],
    shellSocket: 'shell.sock',
  }).map((word) => plain[word] ?? word.replace(',cache=unsafe', ''))
  const qemu = spawnTool(tools, ['qemu-system-aarch64', ...args], {
    cwd: folder,
    readOnly: [image],
    writable: [folder],
    signal,
  })
  stack.defer(async () => {
    qemu.kill('SIGKILL')
    await qemu
  })
  qemu.stdout.resume()
  qemu.stderr.resume()
  await using handle = await open(folder, 'r')
  const shell = await connectTo(`/proc/self/fd/${handle.fd}/shell.sock`)
  stack.defer(() => void shell.destroy())
  const guest = createConsole(shell)
  await guest.greet({ timeoutMs, signal })
  const { output } = await guest.run('systemctl is-system-running --wait', { timeoutMs, signal })
  if (!/^(?:running|degraded)$/m.test(output)) throw new Error(`the system is \`${output}\``)
}

/** Time to the verdict that an image boots, against a boot with QEMU's usual options to the same point. */
export const benchBoot = async (options: {
  tools: Tools
  image: string
  scratch: string
  signal: AbortSignal
  say: Say
}): Promise<Row[]> => {
  const { tools, image, scratch, signal, say } = options
  const verdict = await measure(async () => {
    await using guest = await bootImage({ tools, image, board: 'virt', scratch, emit: () => undefined, signal })
    return guest.state
  })
  say(`  verdict: ${verdict.result} after ${(verdict.wallMs / 1000).toFixed(1)} s; now with usual options`)
  const bare = await measure(() => bootBare(tools, image, scratch, signal))
  return [
    {
      id: 'boot-verdict',
      what: 'Boot verdict of `pibake test` on QEMU virt',
      measured: verdict.wallMs,
      reference: { what: "boot with QEMU's usual options", value: bare.wallMs },
      unit: 'ms',
      ratio: 'faster',
    },
  ]
}
