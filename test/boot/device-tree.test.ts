import test from 'ava'
import { withoutBluetooth } from '../../builder/boot/device-tree.ts'

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
const property = (value: string): Buffer =>
  Buffer.concat([word(3), word(value.length), word(0), padded(Buffer.from(value))])
const node = (name: string, ...content: Buffer[]): Buffer =>
  Buffer.concat([word(1), padded(Buffer.from(`${name}\0`)), ...content, word(2)])

/** A device tree with this structure block, as version 17 lays it out. */
const tree = (structure: Buffer): Buffer => {
  const body = Buffer.concat([structure, word(9)])
  const fields = [0xd00dfeed, 40 + body.length, 40, 40 + body.length, 40, 17, 16, 0, 0, body.length]
  return Buffer.concat([...fields.map(word), body])
}

const bluetooth = node('bluetooth', property('brcm,bcm43438-bt'), node('inner'))

test('the controller below a serial port becomes NOPs, and nothing else changes', (t) => {
  const build = (below: Buffer) =>
    tree(node('', property('model'), node('soc', node('serial@7e201000', property('okay'), below), node('gpio'))))
  const nops = Buffer.concat(Array.from({ length: bluetooth.length / 4 }, () => word(4)))
  t.deepEqual(withoutBluetooth(build(bluetooth)), build(nops))
  t.deepEqual(withoutBluetooth(build(nops)), build(nops))
})

test('other nodes of that name stay', (t) => {
  const same = tree(node('', node('aliases', bluetooth), bluetooth))
  t.deepEqual(withoutBluetooth(same), same)
})

test('the bytes that were given are not written to', (t) => {
  const given = tree(node('', node('serial@0', bluetooth)))
  const before = Buffer.from(given)
  t.notDeepEqual(withoutBluetooth(given), before)
  t.deepEqual(given, before)
})

const broken: [string, Buffer][] = [
  ['nothing', Buffer.alloc(0)],
  ['text', Buffer.from('x'.repeat(100))],
  ['an unknown token', tree(word(7))],
  ['a tree that is cut off', tree(node('', bluetooth)).subarray(0, 60)],
  ['a property beyond the end', tree(Buffer.concat([word(3), word(1 << 20), word(0)]))],
]
for (const [name, bytes] of broken) test(`no device tree: ${name}`, (t) => t.is(withoutBluetooth(bytes), undefined))
