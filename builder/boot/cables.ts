import type { Topology } from './topology.ts'

/** One end of a cable: QEMU listens at a unix socket, or connects to it as soon as somebody listens there. */
export interface CableEnd {
  /** Name of the socket in the folder of the lab's cables. */
  socket: string
  side: 'listen' | 'connect'
}

/** A network interface of a node besides the one that its ports are forwarded to. */
export interface NetworkPort {
  /** Which segment of the topology it is on. */
  segment: number
  mac: string
  /** Its address on the segment, which is a /64. */
  address: string
  cable: CableEnd
}

/** A switch of a segment with more than two nodes. */
export interface Switch {
  segment: number
  cables: CableEnd[]
}

export interface Cabling {
  /** The ports of each node, by its name, in the order of the segments. */
  ports: Map<string, NetworkPort[]>
  switches: Switch[]
}

const byte = (value: number): string => value.toString(16).padStart(2, '0')

/** A locally administered address: QEMU's own prefix, the number of the node, and that of its port. */
export const macOf = (node: number, port: number): string => `52:54:00:00:${byte(node)}:${byte(port)}`

/** A prefix of RFC 4193 that spells `pibak`; a segment is a subnet of it, and a node has its number there. */
const addressOf = (segment: number, node: number): string =>
  `fd70:6962:616b:${(segment + 1).toString(16)}::${(node + 1).toString(16)}`

/** Lay the cables: straight from one node to the other on a segment of two, otherwise from each node to a switch. */
export const layCables = ({ nodes, segments }: Topology): Cabling => {
  const ports = new Map(nodes.map((node): [string, NetworkPort[]] => [node, []]))
  const switches: Switch[] = []
  for (const [segment, members] of segments.entries()) {
    const isSwitched = members.length > 2
    const socketOf = (node: string): string => (isSwitched ? `${segment}-${node}` : String(segment))
    for (const [place, node] of members.entries()) {
      const index = nodes.indexOf(node)
      const own = ports.get(node) ?? []
      own.push({
        segment,
        mac: macOf(index, own.length + 1),
        address: addressOf(segment, index),
        cable: { socket: socketOf(node), side: !isSwitched && place === 0 ? 'listen' : 'connect' },
      })
    }
    if (isSwitched) {
      switches.push({ segment, cables: members.map((node) => ({ socket: socketOf(node), side: 'listen' })) })
    }
  }
  return { ports, switches }
}

/** Where QEMU finds the folder of the cables. */
export const cablesFolder = '/run/cables'

/** QEMU's end of a cable as its network backend `id`. Frames go as they are, each after its length (net/stream.c). */
export const cableArguments = (id: string, { socket, side }: CableEnd): string[] => {
  const address = `addr.type=unix,addr.path=${cablesFolder}/${socket}`
  const how = side === 'listen' ? 'server=on' : 'server=off,reconnect-ms=500'
  return ['-netdev', `stream,id=${id},${how},${address}`]
}

/** A QEMU without any machine, whose hub joins the cables: what one of them brings goes to all others. */
export const switchArguments = ({ cables }: Switch): string[] => [
  ...['-machine', 'none', '-nodefaults', '-no-user-config', '-display', 'none'],
  ...cables.flatMap((cable, index) => [
    ...cableArguments(`cable${index}`, cable),
    ...['-netdev', `hubport,id=port${index},hubid=0,netdev=cable${index}`],
  ]),
]
