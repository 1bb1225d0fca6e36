import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import {
  allPairs,
  hopsBetween,
  neighbourPairs,
  type Shape,
  shapeTopology,
  type Topology,
  topologyOf,
  unreachedNodes,
} from '../../builder/boot/topology.ts'
import { readTopology } from '../../builder/boot/topology-file.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { scratch } from '../support/scratch.ts'

const shapes = test.macro((t, shape: Shape, count: number, segments: string[]) => {
  const topology = shapeTopology(shape, count)
  t.deepEqual(
    topology.segments.map((segment) => segment.join('')),
    segments,
  )
  t.is(topology.nodes.length, count)
})

test('full: one segment', shapes, 'full', 4, ['abcd'])
test('a line of two', shapes, 'line', 2, ['ab'])
test('a line of four', shapes, 'line', 4, ['ab', 'bc', 'cd'])
test('a ring is closed', shapes, 'ring', 3, ['ab', 'bc', 'ca'])

const refuses = test.macro((t, shape: Shape, count: number) => {
  t.is(t.throws(() => shapeTopology(shape, count), { instanceOf: PibakeError })?.code, 'USAGE')
})

test('one node is no lab', refuses, 'full', 1)
test('two nodes are no ring', refuses, 'ring', 2)
test('more nodes than letters', refuses, 'line', 27)
test('half a node', refuses, 'full', 2.5)
test('no number', refuses, 'full', Number.NaN)

const textOf = (pairs: { node: string; peer: string }[]): string =>
  pairs.map(({ node, peer }) => `${node}${peer}`).join(' ')

test('pairs: all both ways, neighbours as a tree from the first node', (t) => {
  t.is(textOf(allPairs(shapeTopology('line', 3))), 'ab ac ba bc ca cb')
  t.is(textOf(neighbourPairs(shapeTopology('line', 4))), 'ba cb dc')
  t.is(textOf(neighbourPairs(shapeTopology('full', 4))), 'ba ca da')
  t.is(textOf(neighbourPairs(shapeTopology('ring', 4))), 'ba da cb')
  const star = topologyOf([
    ['x', 'm'],
    ['m', 'y'],
    ['m', 'z'],
  ])
  t.is(textOf(neighbourPairs(star)), 'mx ym zm')
})

test('hops: the fewest links between two nodes', (t) => {
  const hops = (topology: Topology, pair: string): number | undefined =>
    hopsBetween(topology, { node: pair[0] ?? '', peer: pair[1] ?? '' })
  t.deepEqual(
    ['ab', 'ca', 'ad'].map((pair) => hops(shapeTopology('line', 4), pair)),
    [1, 2, 3],
  )
  t.deepEqual(
    ['ac', 'ad', 'db'].map((pair) => hops(shapeTopology('ring', 5), pair)),
    [2, 2, 2],
  )
  t.is(hops(shapeTopology('full', 3), 'ca'), 1)
  t.is(
    hops(
      topologyOf([
        ['a', 'b'],
        ['c', 'd'],
      ]),
      'ad',
    ),
    undefined,
  )
})

test('nodes that nothing joins with the first', (t) => {
  const segments = [
    ['a', 'b'],
    ['c', 'd'],
    ['d', 'e'],
  ]
  t.deepEqual(unreachedNodes(topologyOf(segments)), ['c', 'd', 'e'])
  t.deepEqual(unreachedNodes(topologyOf([...segments, ['b', 'e']])), [])
})

test('a file: nodes in the order in which they are named', async (t) => {
  const path = join(await scratch(t), 'village.yaml')
  await writeFile(path, 'links:\n  - [school, mill]\n  - [mill, farm, barn]\n')
  t.deepEqual(await readTopology(path), {
    nodes: ['school', 'mill', 'farm', 'barn'],
    segments: [
      ['school', 'mill'],
      ['mill', 'farm', 'barn'],
    ],
  })
})

const mistakes = test.macro(async (t, text: string, detail: string) => {
  const path = join(await scratch(t), 'net.yaml')
  await writeFile(path, text)
  const error = await t.throwsAsync(readTopology(path), { instanceOf: PibakeError })
  t.is(error?.code, 'CONFIG_INVALID')
  t.is(error?.details[0]?.replace(path, 'net.yaml'), detail)
})

test('an unknown key', mistakes, 'link: [[a, b]]\n', 'net.yaml:1:1: the key `links` is missing')
test('a link with one end', mistakes, 'links:\n  - [a]\n', 'net.yaml:2:5: a link joins two nodes or more, got a list')
test(
  'a name that no host can have',
  mistakes,
  'links: [[a, B_1]]\n',
  'net.yaml:1:13: a host name is at most 63 lower-case letters, digits and hyphens, got the text `B_1`',
)
test('a node twice on one link', mistakes, 'links: [[a, b, a]]\n', 'net.yaml:1:16: `a` is on this link a second time')
test('two networks', mistakes, 'links:\n  - [a, b]\n  - [c, d]\n', 'net.yaml:3:5: no chain of links joins `c` with `a`')

test('a file that is not there', async (t) => {
  const error = await t.throwsAsync(readTopology(join(await scratch(t), 'none.yaml')), { instanceOf: PibakeError })
  t.is(error?.code, 'USAGE')
})
