import { type Emit, runStep } from '../core/event.ts'
import { serveForwards } from './forwards.ts'
import { type Lab, type LabRequest, startLab } from './lab.ts'
import { runLabChecks } from './lab-checks.ts'
import { checkIdentities } from './lab-identity.ts'
import type { Forward } from './machine.ts'
import type { CheckResult, NodeAddress, TestReport } from './report.ts'
import { verifyImage } from './verify.ts'

/** Ports of every node that are forwarded: the front page and SSH. */
const guestPorts = { portal: 80, ssh: 22 } as const

/** How many ports of this machine each node takes. */
export const portsPerNode = Object.keys(guestPorts).length

/** Where each node is reached, when `ports` are the free ones: `portsPerNode` for a node, in the order of the nodes. */
export const addressNodes = (nodes: readonly string[], ports: readonly number[]): NodeAddress[] =>
  nodes.map((name, index) => {
    const [portal, ssh] = ports.slice(index * portsPerNode, (index + 1) * portsPerNode)
    if (portal === undefined || ssh === undefined) throw new Error(`no ports are left for the node ${name}`)
    return { name, portal: `http://127.0.0.1:${portal}/`, sshPort: ssh }
  })

/** The forwards of a node that is reached there. */
export const forwardsOf = ({ portal, sshPort }: NodeAddress): Forward[] => [
  { guest: guestPorts.portal, host: Number(new URL(portal).port) },
  { guest: guestPorts.ssh, host: sshPort },
]

export interface LabTestRequest extends Omit<LabRequest, 'forwards'> {
  addresses: readonly NodeAddress[]
  /** Folder of the unix sockets that lead out of the network namespace. */
  relayFolder: string
  /** Whether the nodes are asked about each other. */
  hasChecks: boolean
  /** What to wait for with all nodes up, after the checks, whose results it gets. */
  hold?: (checks: readonly CheckResult[]) => Promise<void>
}

const sayAddresses = ({ addresses, emit }: LabTestRequest): void => {
  const width = Math.max(...addresses.map(({ name }) => name.length))
  for (const { name, portal, sshPort } of addresses) {
    const message = `${name.padEnd(width)}  ${portal}  ssh -p ${sshPort} root@127.0.0.1`
    emit({ type: 'notice', level: 'info', message })
  }
}

/** Compare who the nodes are, then put the checks of their stages to them. */
const askNodes = async (
  lab: Lab,
  options: { id: string; emit: Emit; signal?: AbortSignal },
): Promise<CheckResult[]> => [await checkIdentities(lab.nodes, options.signal), ...(await runLabChecks(lab, options))]

/**
 * Verify the images, boot a lab of them, say where its nodes are reached, and put its checks between nodes to them. Failed
 * checks are in the report, not thrown; throws `IMAGE_INVALID` and `BOOT_FAILED` as `verifyImage` and `startLab` do.
 */
export const testLab = async (request: LabTestRequest): Promise<TestReport> => {
  const { images, addresses, relayFolder, hasChecks, hold, emit } = request
  const signal = request.signal ? { signal: request.signal } : {}
  await using stack = new AsyncDisposableStack()
  const forwards = new Map<string, Forward[]>()
  for (const address of addresses) {
    const { inner } = stack.use(await serveForwards(forwardsOf(address), relayFolder))
    forwards.set(address.name, inner)
  }
  for (const image of new Set(images)) await verifyImage(image, { emit, ...signal })
  const lab = stack.use(await startLab({ ...request, forwards }))
  sayAddresses(request)
  const checks = hasChecks
    ? await runStep(emit, { id: 'checks', title: 'Ask the nodes about each other' }, () =>
        askNodes(lab, { id: 'checks', emit, ...signal }),
      )
    : []
  await hold?.(checks)
  return { image: [...new Set(images)].join(' '), board: lab.board, bootMs: lab.bootMs, nodes: addresses, checks }
}
