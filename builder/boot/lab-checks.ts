import { z } from 'zod'
import type { Emit } from '../core/event.ts'
import { explain, outcomeOf, parseStageFile, readStageFiles } from './checks.ts'
import type { GuestResult } from './console.ts'
import type { Lab, LabNode } from './lab.ts'
import { quoteWord } from './protocol.ts'
import type { CheckResult } from './report.ts'
import { allPairs, hopsBetween, neighbourPairs, type Topology } from './topology.ts'

/** A question that a stage puts to one node about another. */
export interface LabCheck {
  stage: string
  name: string
  title: string
  /** Path on the image of the script that runs on the node. */
  path: string
  /** Path of the script that runs on the other node before, and prints `KEY=value` lines for the first one. */
  peerPath?: string | undefined
  pairs: 'all' | 'neighbours'
  timeoutSeconds: number
}

const stageOnImage = z.object({
  name: z.string(),
  labChecks: z
    .array(
      z.object({
        name: z.string(),
        title: z.string(),
        path: z.string(),
        peerPath: z.string().optional(),
        pairs: z.enum(['all', 'neighbours']),
        timeoutSeconds: z.number().positive(),
      }),
    )
    .default([]),
})

/** The checks between nodes that a stage's file on the image declares. Throws `IMAGE_INVALID` for anything else. */
export const parseLabChecks = (json: string): LabCheck[] => {
  const { name: stage, labChecks } = parseStageFile(stageOnImage, json, 'its checks between nodes')
  return labChecks.map((check) => ({ stage, ...check }))
}

/** The `KEY=value` lines of what a script printed, each as `PEER_KEY`. */
export const readHandedOver = (output: string): Record<string, string> => {
  const pairs = output.split('\n').flatMap((line) => {
    const [, key, value] = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? []
    return key === undefined || value === undefined ? [] : [[`PEER_${key}`, value] as const]
  })
  return Object.fromEntries(pairs)
}

/** Where `node` is on the first segment that it shares with `other`; both empty when they share none. */
const linkOf = (node: LabNode, other: LabNode): { address: string; name: string } => {
  const shared = new Set(other.ports.map(({ segment }) => segment))
  const index = node.ports.findIndex(({ segment }) => shared.has(segment))
  return { address: node.ports[index]?.address ?? '', name: node.interfaces[index] ?? '' }
}

/** What a script on `here` is told about itself and `there`. */
const environmentOf = (here: LabNode, there: LabNode, topology: Topology): Record<string, string> => {
  const link = linkOf(here, there)
  return {
    NODE: here.name,
    NODE_LINK: link.address,
    NODE_INTERFACE: link.name,
    NODE_INTERFACES: here.interfaces.join(' '),
    PEER: there.name,
    PEER_LINK: linkOf(there, here).address,
    HOPS: String(hopsBetween(topology, { node: here.name, peer: there.name }) ?? ''),
  }
}

const commandLine = (path: string, environment: Readonly<Record<string, string>>): string => {
  const words = Object.entries(environment).map(([key, value]) => quoteWord(`${key}=${value}`))
  return ['exec', 'env', ...words, quoteWord(path)].join(' ')
}

interface Asked {
  outcome: CheckResult['outcome']
  /** What happened on each node that had a part in it. */
  said: { node: LabNode; output: string }[]
}

const describeEnd = ({ output, timedOut, exitCode }: GuestResult, seconds: number): string => {
  if (timedOut) return `${output}\n(did not end within ${seconds} s)`
  return exitCode === 0 ? output : `${output}\n(ended with status ${exitCode})`
}

/** A check on `node` about `peer`, as the image of each has it. */
interface Question {
  check: LabCheck
  node: LabNode
  peer: LabNode
  /** The peer's part. */
  peerCheck: Pick<LabCheck, 'peerPath' | 'timeoutSeconds'>
}

/** Ask the peer for its part first, then the node with what the peer handed over. */
const ask = async (
  { check: { path, timeoutSeconds }, node, peer, peerCheck: { peerPath } }: Question,
  topology: Topology,
  signal: AbortSignal | undefined,
): Promise<Asked> => {
  const options = { timeoutMs: timeoutSeconds * 1000, ...(signal ? { signal } : {}) }
  const said: Asked['said'] = []
  let handedOver: Record<string, string> = {}
  if (peerPath !== undefined) {
    const prepared = await peer.guest.run(commandLine(peerPath, environmentOf(peer, node, topology)), options)
    said.push({ node: peer, output: describeEnd(prepared, timeoutSeconds) })
    const outcome = outcomeOf(prepared)
    if (outcome !== 'passed') return { outcome, said }
    handedOver = readHandedOver(prepared.output)
  }
  const environment = { ...environmentOf(node, peer, topology), ...handedOver }
  const result = await node.guest.run(commandLine(path, environment), options)
  said.push({ node, output: describeEnd(result, timeoutSeconds) })
  return { outcome: outcomeOf(result), said }
}

/** What was said on each node, with its name before each line; after a failure also the journals that may explain it. */
const describeAsked = async (
  { outcome, said }: Asked,
  stage: string,
  signal: AbortSignal | undefined,
): Promise<string> => {
  const parts = await Promise.all(
    said.map(async ({ node, output }) => {
      const journals = outcome === 'passed' || outcome === 'skipped' ? '' : await explain(node.guest, stage, signal)
      const lines = `${output}\n${journals}`.trim().split('\n')
      return lines.map((line) => `${node.name}: ${line}`).join('\n')
    }),
  )
  return parts.join('\n')
}

/** What the image of each node declares; it is read once for each image. */
const readDeclared = async (
  nodes: readonly LabNode[],
  signal: AbortSignal | undefined,
): Promise<Map<string, LabCheck[]>> => {
  const declared = new Map<string, LabCheck[]>()
  for (const { image, guest } of nodes) {
    if (!declared.has(image)) declared.set(image, (await readStageFiles(guest, signal)).flatMap(parseLabChecks))
  }
  return declared
}

/**
 * What to ask: each check about each of its pairs, in the order of the checks. Of different images, a check is asked
 * where both nodes have it; each has the script of its own image.
 */
const collectQuestions = (
  { nodes, topology }: Pick<Lab, 'nodes' | 'topology'>,
  declared: ReadonlyMap<string, readonly LabCheck[]>,
): Question[] => {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  const same = (one: LabCheck, other: LabCheck): boolean => one.stage === other.stage && one.name === other.name
  const all = [...declared.values()].flat()
  const checks = all.filter((check, index) => all.findIndex((other) => same(check, other)) === index)
  return checks
    .sort((a, b) => (a.stage < b.stage ? -1 : a.stage > b.stage ? 1 : 0))
    .flatMap((wanted) => {
      const pairs = wanted.pairs === 'all' ? allPairs(topology) : neighbourPairs(topology)
      return pairs.flatMap((pair) => {
        const [node, peer] = [byName.get(pair.node), byName.get(pair.peer)]
        const [check, peerCheck] = [node, peer].map((at) =>
          declared.get(at?.image ?? '')?.find((other) => same(wanted, other)),
        )
        return node && peer && check && peerCheck ? [{ check, node, peer, peerCheck }] : []
      })
    })
}

/**
 * Put the checks that the stages of the nodes declare to them, one pair after the other, each with its own time-out.
 * A failed one does not end the run. Progress is emitted on the step `id`.
 */
export const runLabChecks = async (
  lab: Pick<Lab, 'nodes' | 'topology'>,
  options: { id: string; emit: Emit; signal?: AbortSignal },
): Promise<CheckResult[]> => {
  const { id, emit, signal } = options
  const questions = collectQuestions(lab, await readDeclared(lab.nodes, signal))
  const total = questions.length
  const results: CheckResult[] = []
  for (const [index, question] of questions.entries()) {
    const { check, node, peer } = question
    const { stage } = check
    const title = `${node.name} → ${peer.name}: ${check.title}`
    emit({ type: 'step-progress', id, done: index, total, unit: 'items', note: `${stage}: ${title}` })
    const startedAt = performance.now()
    const asked = await ask(question, lab.topology, signal)
    const durationMs = performance.now() - startedAt
    const output = await describeAsked(asked, stage, signal)
    for (const line of output.split('\n')) emit({ type: 'output', id, line })
    const name = `${check.name}-${node.name}-${peer.name}`
    results.push({ stage, name, title, outcome: asked.outcome, durationMs, output })
  }
  emit({ type: 'step-progress', id, done: total, total, unit: 'items' })
  return results
}
