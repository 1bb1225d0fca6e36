import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Subprocess } from '../host/command.ts'
import { spawnTool, type Tools } from '../host/sandbox.ts'
import { chooseAccelerator } from './accelerator.ts'
import { type Board, boards } from './board.ts'
import { cablesFolder, type NetworkPort } from './cables.ts'
import { type CloudSeed, writeSeed } from './cloud-seed.ts'
import { type Forward, machineArguments } from './machine.ts'
import { createOverlay } from './overlay.ts'
import { holdSocketFolder } from './socket-folder.ts'
import { prepareStart } from './start.ts'

export interface MachineRequest {
  tools: Tools
  /** Absolute path; never written to. */
  image: string
  board: Board
  memoryMiB?: number
  forwards?: readonly Forward[]
  /** Text of an SSH public key that root accepts during this boot. */
  sshKey?: string
  /** A root shell on the serial console. */
  autologin?: boolean
  /** What cloud-init finds on a second disk; not on `raspi3b`. */
  cloudSeed?: CloudSeed
  /** Absolute paths of disks that are plugged in as USB sticks, never written to; not on `raspi3b`. */
  sticks?: readonly string[]
  /** Its place in a lab; the image has the stage `first-boot`, and the board is not `raspi3b`. */
  node?: {
    /** Its host name. */
    name: string
    /** Address of the interface that the forwards lead to. */
    mac: string
    ports: readonly NetworkPort[]
    /** Absolute path of the folder with the sockets of the cables. */
    cables: string
  }
  /** Absolute path of a new file that takes down every write to the disk; not on `raspi3b`. */
  writeLog?: string
  /** Absolute path of a folder for temporary files. */
  scratch: string
  signal?: AbortSignal
}

/** A started QEMU. Disposal ends it and removes its disk. */
export interface Machine extends AsyncDisposable {
  process: Subprocess
  /** The root shell's line. */
  shell: Socket
  /** Settles when QEMU has ended. */
  ended: Promise<{ exitCode: number | undefined; stderr: string }>
}

const shellSocket = 'shell.sock'

/** Connect to a unix socket in `folder` as soon as it is there. */
const connectWithin = async (folder: string, name: string, isOver: () => boolean): Promise<Socket> => {
  await using held = await holdSocketFolder(folder)
  for (;;) {
    const { promise, resolve, reject } = Promise.withResolvers<Socket>()
    const socket = connect(held.at(name))
    socket.once('connect', () => resolve(socket)).once('error', reject)
    try {
      return await promise
    } catch (error) {
      const errno = errnoOf(error)
      if (isOver() || (errno !== 'ENOENT' && errno !== 'ECONNREFUSED')) throw error
      await sleep(50)
    }
  }
}

/** Keep the last 8000 characters of a stream; the function gives them. */
export const collectText = (stream: NodeJS.ReadableStream): (() => string) => {
  let text = ''
  stream.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-8000)
  })
  return () => text
}

/** Start QEMU on a throwaway overlay of the image. Throws `IMAGE_INVALID`, or `BOOT_FAILED` when QEMU does not start. */
export const startMachine = async (request: MachineRequest): Promise<Machine> => {
  const { tools, image, board, scratch, node, writeLog, sticks = [], signal } = request
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(scratch, 'boot-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const cancel = signal ? { signal } : {}
  const start = await prepareStart(
    { tools, image, board, folder, ...cancel },
    {
      ...(request.sshKey === undefined ? {} : { sshKey: request.sshKey }),
      autologin: request.autologin ?? false,
      ...(node === undefined ? {} : { hostname: node.name }),
    },
  )
  const seed =
    request.cloudSeed === undefined ? undefined : await writeSeed(request.cloudSeed, { tools, folder, ...cancel })
  const disk = stack.use(await createOverlay({ tools, image, board, folder, ...cancel }))
  if (writeLog !== undefined) await writeFile(writeLog, '', { flag: 'wx' })
  const bits = start.by === 'qemu' ? start.bits : 64
  if (bits === 32 && board !== 'virt') {
    throw new PibakeError(
      'IMAGE_INVALID',
      `A ${boards[board].title} is emulated with 64 bits, and the image has a kernel of 32.`,
      {
        hint: 'Boot it with `--board virt`, the default.',
      },
    )
  }
  const accelerator = bits === 64 ? await chooseAccelerator(tools, board, { folder, ...cancel }) : 'tcg'
  const args = machineArguments({
    board,
    accelerator,
    start,
    disk: disk.path,
    ...(seed === undefined ? {} : { seed }),
    sticks,
    memoryMiB: request.memoryMiB ?? 1024,
    forwards: request.forwards ?? [],
    ...(node === undefined ? {} : { mac: node.mac, ports: node.ports }),
    ...(writeLog === undefined ? {} : { writeLog }),
    shellSocket,
  })
  const qemu = spawnTool(tools, [boards[board].qemu, ...args], {
    cwd: folder,
    readOnly: [image, ...sticks],
    writable: [folder, ...(writeLog === undefined ? [] : [writeLog])],
    devices: accelerator === 'kvm' ? ['/dev/kvm'] : [],
    ...(node === undefined ? {} : { mounts: [{ source: node.cables, target: cablesFolder, writable: true }] }),
    ...((request.forwards?.length ?? 0) > 0 ? { network: 'inherit' as const } : {}),
  })
  const stderr = collectText(qemu.stderr)
  let over = false
  const ended = qemu.then((result) => {
    over = true
    return { exitCode: result.exitCode, stderr: stderr() }
  })
  stack.defer(async () => {
    qemu.kill('SIGTERM')
    await ended
  })
  qemu.stdin.on('error', () => {})
  const shell = await connectWithin(folder, shellSocket, () => over || (signal?.aborted ?? false)).catch(
    async (cause: unknown) => {
      qemu.kill('SIGTERM')
      throw notStarted(board, (await ended).stderr, cause)
    },
  )
  stack.defer(() => {
    shell.destroy()
  })
  const owned = stack.move()
  return { process: qemu, shell, ended, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

const notStarted = (board: Board, stderr: string, cause: unknown): PibakeError =>
  new PibakeError('BOOT_FAILED', `QEMU did not start a ${boards[board].title}.`, {
    hint: 'Read what QEMU says; a port that is taken or too little memory are the usual reasons.',
    details: stderr.trimEnd().split('\n'),
    cause,
  })
