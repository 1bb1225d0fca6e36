import test from 'ava'
import { layCables } from '../../builder/boot/cables.ts'
import type { GuestResult } from '../../builder/boot/console.ts'
import { parseLabChecks, readHandedOver, runLabChecks } from '../../builder/boot/lab-checks.ts'
import { type Shape, shapeTopology } from '../../builder/boot/topology.ts'
import { PibakeError } from '../../builder/core/error.ts'

const check = {
  name: 'reaches',
  title: 'they talk',
  path: '/lab/reaches',
  peerPath: '/lab/address',
  pairs: 'all',
  timeoutSeconds: 30,
}

const stageFile = (...labChecks: unknown[]): string => JSON.stringify({ name: 'mesh', labChecks })

test('the checks a stage declares', (t) => {
  t.deepEqual(parseLabChecks(stageFile(check)), [{ stage: 'mesh', ...check }] as never)
  t.deepEqual(parseLabChecks('{"name":"plain","checks":[]}'), [])
  const error = t.throws(() => parseLabChecks(stageFile({ ...check, pairs: 'some' })), { instanceOf: PibakeError })
  t.is(error?.code, 'IMAGE_INVALID')
})

test('what is handed over: lines of KEY=value, all else is talk', (t) => {
  t.deepEqual(readHandedOver("hello\nADDRESS=201:db8::1\nINVITE=a=b ~'c\nlower=no\n EMPTY=no\nNONE="), {
    PEER_ADDRESS: '201:db8::1',
    PEER_INVITE: "a=b ~'c",
    PEER_NONE: '',
  })
})

type Answer = (node: string, script: string) => Partial<GuestResult> | undefined

/**
 * A lab whose guests answer what they are told to, and the list of the scripts of checks that were run. Of several stage
 * files, each node has its own and the rest the last one.
 */
const fakeLab = (shape: Shape, count: number, stageFiles: string | string[], answer: Answer) => {
  const files = [stageFiles].flat()
  const topology = shapeTopology(shape, count)
  const { ports } = layCables(topology)
  const asked: string[] = []
  const nodes = topology.nodes.map((name, index) => {
    const image = `${Math.min(index, files.length - 1)}.img`
    const file = files[index] ?? files.at(-1) ?? ''
    const run = async (script: string): Promise<GuestResult> => {
      if (script.startsWith('exec ')) asked.push(`${name} ${script}`)
      const isListing = script.includes('/usr/share/pibake/stages/')
      const output = isListing ? Buffer.from(file).toString('base64') : 'the journal'
      return { output, exitCode: 0, timedOut: false, ...(isListing ? {} : answer(name, script)) }
    }
    const own = ports.get(name) ?? []
    return { name, image, guest: { run } as never, ports: own, interfaces: own.map((_, port) => `eth${port + 1}`) }
  })
  return { lab: { nodes, topology }, asked }
}

const quietly = { id: 'checks', emit: () => {} }

test('the peer has its part first, and hands over its lines; only neighbours share a link', async (t) => {
  const { lab, asked } = fakeLab('line', 3, stageFile(check), (node, script) =>
    script.includes('/lab/address') ? { output: `some talk\nADDRESS=200::${node}` } : { output: 'pong' },
  )
  const results = await runLabChecks(lab, quietly)
  t.deepEqual(
    results.map(({ title, outcome }) => `${outcome} ${title}`),
    ['a → b', 'a → c', 'b → a', 'b → c', 'c → a', 'c → b'].map((pair) => `passed ${pair}: they talk`),
  )
  t.is(results[1]?.output, 'c: some talk\nc: ADDRESS=200::c\na: pong')
  t.deepEqual(asked.slice(0, 4), [
    "b exec env 'NODE=b' 'NODE_LINK=fd70:6962:616b:1::2' 'NODE_INTERFACE=eth1' 'NODE_INTERFACES=eth1 eth2' 'PEER=a' 'PEER_LINK=fd70:6962:616b:1::1' 'HOPS=1' '/lab/address'",
    "a exec env 'NODE=a' 'NODE_LINK=fd70:6962:616b:1::1' 'NODE_INTERFACE=eth1' 'NODE_INTERFACES=eth1' 'PEER=b' 'PEER_LINK=fd70:6962:616b:1::2' 'HOPS=1' 'PEER_ADDRESS=200::b' '/lab/reaches'",
    "c exec env 'NODE=c' 'NODE_LINK=' 'NODE_INTERFACE=' 'NODE_INTERFACES=eth1' 'PEER=a' 'PEER_LINK=' 'HOPS=2' '/lab/address'",
    "a exec env 'NODE=a' 'NODE_LINK=' 'NODE_INTERFACE=' 'NODE_INTERFACES=eth1' 'PEER=c' 'PEER_LINK=' 'HOPS=2' 'PEER_ADDRESS=200::c' '/lab/reaches'",
  ])
})

test('neighbours: each node but the first, about one', async (t) => {
  const { peerPath: _, ...alone } = check
  const file = stageFile({ ...alone, pairs: 'neighbours' })
  const { lab, asked } = fakeLab('full', 3, file, () => ({ output: 'fine' }))
  const results = await runLabChecks(lab, quietly)
  t.deepEqual(
    results.map(({ name }) => name),
    ['reaches-b-a', 'reaches-c-a'],
  )
  t.is(asked.length, 2)
})

test('a failure carries the journals of both nodes, and the next pair is asked all the same', async (t) => {
  const { lab } = fakeLab('full', 2, stageFile(check), (node, script) => {
    if (script.includes('/lab/address')) return { output: 'ADDRESS=200::1' }
    if (!script.includes('/lab/reaches')) return undefined
    return node === 'a' ? { output: 'no answer', exitCode: 1 } : { output: '', exitCode: 124, timedOut: true }
  })
  const results = await runLabChecks(lab, quietly)
  t.deepEqual(
    results.map(({ outcome }) => outcome),
    ['failed', 'timeout'],
  )
  t.is(
    results[0]?.output,
    ['b: ADDRESS=200::1', 'b: the journal', 'a: no answer', 'a: (ended with status 1)', 'a: the journal'].join('\n'),
  )
  t.regex(results[1]?.output ?? '', /b: \(did not end within 30 s\)\nb: the journal$/)
})

test("when the peer's part fails, the node is not asked", async (t) => {
  const { lab, asked } = fakeLab('full', 2, stageFile(check), (_node, script) =>
    script.includes('/lab/address') ? { output: 'no key', exitCode: 2 } : undefined,
  )
  const [first] = await runLabChecks(lab, quietly)
  t.is(first?.outcome, 'failed')
  t.is(first?.output, 'b: no key\nb: (ended with status 2)\nb: the journal')
  t.false(asked.some((line) => line.includes('/lab/reaches')))
})

test('of different images, a check is asked where both nodes have it, each by its own script', async (t) => {
  const older = stageFile({ ...check, path: '/old/reaches', peerPath: '/old/address' })
  const alone = JSON.stringify({ name: 'alone', labChecks: [check] })
  const { lab, asked } = fakeLab('full', 3, [stageFile(check), older, alone], () => ({ output: 'fine' }))
  const results = await runLabChecks(lab, quietly)
  t.deepEqual(
    results.map(({ stage, name }) => `${stage} ${name}`),
    ['mesh reaches-a-b', 'mesh reaches-b-a'],
  )
  t.deepEqual(
    asked.map((line) => `${line[0]} ${/'([^']+)'$/.exec(line)?.[1]}`),
    ['b /old/address', 'a /lab/reaches', 'a /lab/address', 'b /old/reaches'],
  )
})
