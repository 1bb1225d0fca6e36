import { PibakeError } from '../core/error.ts'

/** Which nodes a lab has, and the Ethernet segments between them. */
export interface Topology {
  /** Names in the order in which they are first named; each is a host name. */
  nodes: readonly string[]
  /** Two nodes or more on one wire. */
  segments: readonly (readonly string[])[]
}

export type Shape = 'full' | 'line' | 'ring'

const fewest: Readonly<Record<Shape, number>> = { full: 2, line: 2, ring: 3 }

/** The most nodes of a lab: each has a letter. */
export const mostNodes = 26

const nameOf = (index: number): string => String.fromCharCode('a'.charCodeAt(0) + index)

/**
 * `count` nodes `a`, `b`, `c` …: on one segment (`full`), each linked with the next (`line`), or the last with the first
 * as well (`ring`). Throws `USAGE` for a number that the shape cannot have.
 */
export const shapeTopology = (shape: Shape, count: number): Topology => {
  if (!Number.isInteger(count) || count < fewest[shape] || count > mostNodes) {
    throw new PibakeError('USAGE', `A lab of the topology \`${shape}\` cannot have ${count} nodes.`, {
      hint: `Choose ${fewest[shape]} to ${mostNodes} with \`--nodes\`.`,
    })
  }
  const nodes = Array.from({ length: count }, (_, index) => nameOf(index))
  if (shape === 'full') return { nodes, segments: [nodes] }
  const pairs = nodes.map((node, index) => [node, nodes[(index + 1) % count] ?? node])
  return { nodes, segments: shape === 'ring' ? pairs : pairs.slice(0, -1) }
}

/** A topology from its segments alone. */
export const topologyOf = (segments: readonly (readonly string[])[]): Topology => ({
  nodes: [...new Set(segments.flat())],
  segments,
})

/** Nodes that share a segment with `node`. */
const neighboursOf = ({ segments }: Topology, node: string): string[] =>
  segments.filter((segment) => segment.includes(node)).flatMap((segment) => segment.filter((other) => other !== node))

/** A node and another one that it is asked about. */
export interface Pair {
  node: string
  peer: string
}

/**
 * Each node that the first one reaches, with the neighbour that is nearer to the first: the edges of a spanning tree, in
 * the order of the search (breadth first).
 */
export const neighbourPairs = (topology: Topology): Pair[] => {
  const [first] = topology.nodes
  if (first === undefined) return []
  const reached = new Set([first])
  const pairs: Pair[] = []
  for (const peer of reached) {
    for (const node of neighboursOf(topology, peer)) {
      if (reached.has(node)) continue
      reached.add(node)
      pairs.push({ node, peer })
    }
  }
  return pairs
}

/** Every node with every other one. */
export const allPairs = ({ nodes }: Topology): Pair[] =>
  nodes.flatMap((node) => nodes.filter((peer) => peer !== node).map((peer) => ({ node, peer })))

/** How many segments lie between two nodes at least: 1 for neighbours, undefined for nodes that nothing joins. */
export const hopsBetween = (topology: Topology, { node, peer }: Pair): number | undefined => {
  const hops = new Map([[node, 0]])
  for (const [near, count] of hops) {
    if (near === peer) return count
    for (const next of neighboursOf(topology, near)) if (!hops.has(next)) hops.set(next, count + 1)
  }
  return undefined
}

/** Nodes that no chain of segments joins with the first one. */
export const unreachedNodes = (topology: Topology): string[] => {
  const reached = new Set([...topology.nodes.slice(0, 1), ...neighbourPairs(topology).map(({ node }) => node)])
  return topology.nodes.filter((node) => !reached.has(node))
}
