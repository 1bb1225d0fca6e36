import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Emit } from '../core/event.ts'
import type { Tools } from '../host/sandbox.ts'
import type { Board } from './board.ts'
import { bootImage, type Guest } from './boot.ts'
import { layCables, macOf, type NetworkPort } from './cables.ts'
import { chooseBoard } from './choose-board.ts'
import type { Forward } from './machine.ts'
import { startSwitch } from './switch.ts'
import type { Topology } from './topology.ts'

export interface LabRequest {
  tools: Tools
  /** Absolute paths, never written to: each node has its own in the order of the topology, the rest the last one. */
  images: readonly string[]
  topology: Topology
  /** Of each node; 1024 by default. */
  memoryMiB?: number
  /** Ports of each node that are forwarded, by its name. */
  forwards?: ReadonlyMap<string, readonly Forward[]>
  /** Text of an SSH public key that root of each node accepts. */
  sshKey?: string
  /** Absolute path of a folder for temporary files. */
  scratch: string
  emit: Emit
  signal?: AbortSignal
}

/** A booted node of a lab. */
export interface LabNode {
  name: string
  /** The one it was booted from. */
  image: string
  guest: Guest
  ports: readonly NetworkPort[]
  /** What the node calls its ports, in their order. */
  interfaces: readonly string[]
}

/** Booted nodes, in the order of the topology; disposal ends them and removes what they wrote. */
export interface Lab extends AsyncDisposable {
  nodes: LabNode[]
  topology: Topology
  /** What the first node was booted on. */
  board: Board
  /** From the start of the first node until the last one was up. */
  bootMs: number
}

/** An emulated node keeps its two processors busy while it boots. */
const nodesAtOnce = (): number => Math.max(1, Math.floor(availableParallelism() / 2))

/** Run `works` in order, `limit` at a time; after a failure no other is begun, and it is thrown when all have ended. */
const runLimited = async (works: readonly (() => Promise<void>)[], limit: number): Promise<void> => {
  const queue = works.values()
  const failures: unknown[] = []
  const worker = async (): Promise<void> => {
    for (const work of queue) {
      if (failures.length > 0) return
      await work().catch((error: unknown) => failures.push(error))
    }
  }
  await Promise.all(Array.from({ length: limit }, worker))
  if (failures.length > 0) throw failures[0]
}

/**
 * Give the interfaces on the segments their addresses, as a router there would; returns their names. The interface with
 * the forwards has its own address from QEMU.
 */
const setAddresses = async (
  guest: Guest,
  ports: readonly NetworkPort[],
  signal: AbortSignal | undefined,
): Promise<string[]> => {
  const lines = ports.flatMap(({ mac, address }) => [
    `link=$(basename "$(dirname "$(grep -lx ${mac} /sys/class/net/*/address)")")`,
    `ip address add ${address}/64 dev "$link" nodad`,
    'echo "$link"',
  ])
  const { output, exitCode } = await guest.run(['set -e', ...lines].join('\n'), signal ? { signal } : {})
  const interfaces = output.split('\n')
  if (exitCode === 0 && interfaces.length === ports.length) return interfaces
  throw new Error(`an interface of the lab could not be set up: ${output}`)
}

/**
 * Boot a node for each name of the topology, each on a throwaway overlay of its image and with the identity that its
 * first boot makes, and join them. Throws `BOOT_FAILED` and `IMAGE_INVALID` as `bootImage` does.
 */
export const startLab = async (request: LabRequest): Promise<Lab> => {
  const { tools, images, topology, scratch, emit, signal } = request
  await using stack = new AsyncDisposableStack()
  const cables = await mkdtemp(join(scratch, 'cables-'))
  stack.defer(() => rm(cables, { recursive: true, force: true }))
  const { ports, switches } = layCables(topology)
  for (const plan of switches) stack.use(await startSwitch(plan, { tools, cables, ...(signal ? { signal } : {}) }))
  const failed = new AbortController()
  const cancel = AbortSignal.any([failed.signal, ...(signal ? [signal] : [])])
  const booted = new Map<string, LabNode>()
  const boardOf = new Map<string, Board>()
  for (const image of images) boardOf.set(image, await chooseBoard(tools, image, signal ? { signal } : {}))
  const bootNode = async (name: string, index: number): Promise<void> => {
    const own = ports.get(name) ?? []
    const image = images[index] ?? images.at(-1)
    if (image === undefined) throw new Error('a lab without an image')
    const guest = stack.use(
      await bootImage({
        ...{ tools, image, board: boardOf.get(image) ?? 'virt', scratch, emit, signal: cancel },
        ...(request.memoryMiB === undefined ? {} : { memoryMiB: request.memoryMiB }),
        ...(request.sshKey === undefined ? {} : { sshKey: request.sshKey }),
        forwards: request.forwards?.get(name) ?? [],
        node: { name, mac: macOf(index, 0), ports: own, cables },
      }),
    )
    booted.set(name, { name, image, guest, ports: own, interfaces: await setAddresses(guest, own, signal) })
  }
  const startedAt = performance.now()
  const works = topology.nodes.map(
    (name, index) => () =>
      bootNode(name, index).catch((error: unknown) => {
        failed.abort()
        throw error
      }),
  )
  await runLimited(works, nodesAtOnce())
  const bootMs = performance.now() - startedAt
  const board = boardOf.get(images[0] ?? '') ?? 'virt'
  const nodes = topology.nodes.flatMap((name) => booted.get(name) ?? [])
  const owned = stack.move()
  return { nodes, topology, board, bootMs, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
