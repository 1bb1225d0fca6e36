import { access } from 'node:fs/promises'
import { freemem } from 'node:os'
import { imagePath } from '../bake/history.ts'
import { type CheckResult, isFailure } from '../boot/report.ts'
import type { Topology } from '../boot/topology.ts'
import { PibakeError } from '../core/error.ts'
import { formatBytes } from '../core/size.ts'
import { raiseLoopback } from '../host/loopback.ts'
import { makeScratch } from '../host/scratch.ts'
import { resolveProfile } from '../profile/resolve.ts'
import type { TargetName } from '../profile/target.ts'
import { chosenImage, openTools, targetOption } from './chosen.ts'
import { defineCommand } from './command.ts'
import type { Context } from './context.ts'
import { readKey } from './run.ts'
import { reportResult, resultOptions } from './test-result.ts'

const usualNodes = 3

/** The topology that was named; without `count`, a shape has a node for each of several images. */
const chosenTopology = async (named: string, count: number | undefined, images: number): Promise<Topology> => {
  if (named === 'full' || named === 'line' || named === 'ring') {
    const usual = images > 1 ? images : usualNodes
    return (await import('../boot/topology.ts')).shapeTopology(named, count ?? usual)
  }
  if (count === undefined) return (await import('../boot/topology-file.ts')).readTopology(named)
  throw new PibakeError('USAGE', `\`--nodes\` does not go with the topology \`${named}\`, which names its nodes.`, {
    hint: 'Leave `--nodes` out, or choose `full`, `line` or `ring`.',
  })
}

/** The images of the lab: those that are named, or the one that the profile was baked into. */
const labImages = async (
  { project }: Context,
  images: readonly string[],
  { profile, target }: { profile: string | undefined; target: TargetName },
): Promise<string[]> => {
  if (images.length > 0 && profile === undefined) return images.map(chosenImage)
  if (images.length === 0 && profile !== undefined) {
    const path = imagePath(project, (await resolveProfile(project, profile, { target })).output)
    await access(path).catch((cause: unknown) => {
      throw new PibakeError('UNKNOWN_NAME', `There is no image of the profile \`${profile}\` yet.`, {
        hint: `Bake it first: \`sudo pibake --profile ${profile} --target ${target}\``,
        cause,
      })
    })
    return [path]
  }
  throw new PibakeError('USAGE', 'Either images or a profile make a lab.', {
    hint: 'Name one: `pibake lab images/pub.img`, or `pibake lab --profile pub`.',
  })
}

const assertEnoughNodes = (topology: Topology, images: readonly string[]): void => {
  if (images.length <= topology.nodes.length) return
  throw new PibakeError('USAGE', `${images.length} images are too many for ${topology.nodes.length} nodes.`, {
    hint: 'Each node is booted from one image: name fewer of them, or choose more nodes.',
  })
}

const memoryNotice = (count: number, memoryMiB: number): string | undefined => {
  const wantedBytes = count * memoryMiB * 2 ** 20
  if (wantedBytes <= freemem()) return undefined
  return `${count} nodes may use ${formatBytes(wantedBytes)} of memory, but ${formatBytes(freemem())} are free: choose fewer nodes, or less for each with \`--memory\`.`
}

/** Which checks failed, for a look at the nodes while they are up; the result itself comes at the end. */
const sayFailed = (checks: readonly CheckResult[]): string[] =>
  checks.filter(isFailure).map(({ stage, title, outcome }) => `${stage}: ${title}: ${outcome}`)

export const lab = defineCommand({
  options: {
    profile: { type: 'string', describe: 'Profile whose baked image to boot, instead of naming the image' },
    ...targetOption,
    nodes: {
      type: 'number',
      describe: `How many nodes; when not given, ${usualNodes}, or one for each of several images`,
    },
    topology: {
      type: 'string',
      default: 'full',
      describe: 'Their network: `full` (all on one switch), `line`, `ring`, or a YAML file with `links`',
    },
    memory: { type: 'number', default: 1024, describe: 'Memory of each node in MiB' },
    checks: { type: 'boolean', default: true, describe: 'Checks between nodes; `--no-checks` only boots and keeps' },
    keep: { type: 'boolean', default: false, describe: 'Keep the nodes up after the checks, until Ctrl-C' },
    'ssh-key': { type: 'string', describe: 'File with a public key that may log in as root over SSH' },
    ...resultOptions,
    'relay-folder': { type: 'string', hidden: true },
    'relay-ports': { type: 'string', hidden: true },
  },
  positionals: {
    image: {
      type: 'string',
      array: true,
      describe: 'Path of an image, which is not changed; of several, each node has its own, and the rest the last one',
    },
  },
  examples: [
    ['$0 lab --profile pub', 'Three nodes of images/pub.img on one switch: do they find each other?'],
    ['$0 lab images/pub.img --topology line', 'a and c have only b between them'],
    ['$0 lab images/pub.img --topology village.yaml --junit lab.xml', 'A network of your own; JUnit in a file'],
    ['$0 lab new.img old.img', 'A node of each: does the old one take its upgrades from the new one?'],
    ['$0 lab images/pub.img --nodes 2 --no-checks', 'Two nodes to look at, until Ctrl-C'],
  ],
  async run(args, context) {
    const { project, emit, signal, terminal } = context
    const named = args.image ?? []
    const topology = await chosenTopology(args.topology, args.nodes, named.length)
    assertEnoughNodes(topology, named)
    const { addressNodes, forwardsOf, portsPerNode, testLab } = await import('../boot/test-lab.ts')
    if (!context.isOffline) {
      const { listenForwards } = await import('../boot/forwards.ts')
      const { freePort } = await import('../boot/relay.ts')
      const ports = await Promise.all(topology.nodes.flatMap(() => Array.from({ length: portsPerNode }, freePort)))
      await using scratch = await makeScratch(project.work)
      await using _relays = await listenForwards(addressNodes(topology.nodes, ports).flatMap(forwardsOf), scratch.path)
      return await context.continueOffline(['--relay-folder', scratch.path, '--relay-ports', ports.join(',')])
    }
    const { 'relay-folder': relayFolder, 'relay-ports': relayPorts } = args
    if (relayFolder === undefined || relayPorts === undefined) throw new Error('lab was started without its relays')
    const { untilQuit } = await import('../boot/quit.ts')
    const images = await labImages(context, named, args)
    const sshKey = args['ssh-key'] === undefined ? undefined : await readKey(args['ssh-key'])
    const notice = memoryNotice(topology.nodes.length, args.memory)
    if (notice !== undefined) emit({ type: 'notice', level: 'warn', message: notice })
    const hold = async (checks: readonly CheckResult[]): Promise<void> => {
      for (const message of sayFailed(checks)) emit({ type: 'notice', level: 'warn', message })
      emit({ type: 'notice', level: 'info', message: 'The nodes stay up until Ctrl-C.' })
      await untilQuit(terminal.input, signal)
    }
    const tools = await openTools(context)
    await raiseLoopback(tools)
    await using scratch = await makeScratch(project.work)
    const report = await testLab({
      ...{ tools, images, topology, memoryMiB: args.memory, scratch: scratch.path, relayFolder, emit, signal },
      addresses: addressNodes(topology.nodes, relayPorts.split(',').map(Number)),
      hasChecks: args.checks,
      ...(args.keep || !args.checks ? { hold } : {}),
      ...(sshKey === undefined ? {} : { sshKey }),
    })
    return args.checks ? reportResult(report, args) : { data: report }
  },
})
