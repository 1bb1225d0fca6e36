import test from 'ava'
import { type CableEnd, cableArguments, layCables, switchArguments } from '../../builder/boot/cables.ts'
import { shapeTopology } from '../../builder/boot/topology.ts'

const textOf = ({ socket, side }: CableEnd): string => `${side} ${socket}`

test('two nodes are joined straight: one listens, the other connects', (t) => {
  const { ports, switches } = layCables(shapeTopology('line', 3))
  t.deepEqual(switches, [])
  t.deepEqual(
    [...ports].map(([node, own]) => [node, ...own.map(({ cable }) => textOf(cable))]),
    [
      ['a', 'listen 0'],
      ['b', 'connect 0', 'listen 1'],
      ['c', 'connect 1'],
    ],
  )
})

test('three nodes on a segment meet at a switch', (t) => {
  const { ports, switches } = layCables(shapeTopology('full', 3))
  t.deepEqual(
    [...ports.values()].flat().map(({ cable }) => textOf(cable)),
    ['connect 0-a', 'connect 0-b', 'connect 0-c'],
  )
  t.deepEqual(
    switches.map(({ cables }) => cables.map(textOf)),
    [['listen 0-a', 'listen 0-b', 'listen 0-c']],
  )
})

test('addresses: none twice, and one subnet a segment', (t) => {
  const ports = [...layCables(shapeTopology('ring', 4)).ports.values()].flat()
  t.is(ports.length, 8)
  t.is(new Set(ports.map(({ mac }) => mac)).size, 8)
  t.is(new Set(ports.map(({ address }) => address)).size, 8)
  const subnets = Map.groupBy(ports, ({ address }) => address.replace(/::.*/, ''))
  t.deepEqual(
    [...subnets.values()].map((members) => new Set(members.map(({ segment }) => segment)).size),
    [1, 1, 1, 1],
  )
  t.deepEqual(ports[0], {
    segment: 0,
    mac: '52:54:00:00:00:01',
    address: 'fd70:6962:616b:1::1',
    cable: { socket: '0', side: 'listen' },
  })
})

test("QEMU's ends of a cable", (t) => {
  t.deepEqual(cableArguments('cable0', { socket: '1', side: 'listen' }), [
    '-netdev',
    'stream,id=cable0,server=on,addr.type=unix,addr.path=/run/cables/1',
  ])
  t.deepEqual(cableArguments('cable0', { socket: '1', side: 'connect' }), [
    '-netdev',
    'stream,id=cable0,server=off,reconnect-ms=500,addr.type=unix,addr.path=/run/cables/1',
  ])
})

test('a switch has no machine, and a port of one hub for each cable', (t) => {
  const [plan] = layCables(shapeTopology('full', 3)).switches
  const args = plan ? switchArguments(plan) : []
  t.is(args[args.indexOf('-machine') + 1], 'none')
  t.deepEqual(
    args.filter((word) => word.startsWith('hubport,')),
    [0, 1, 2].map((index) => `hubport,id=port${index},hubid=0,netdev=cable${index}`),
  )
})
