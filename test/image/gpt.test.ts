import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import test from 'ava'
import { partuuidOf, readPartitionTable } from '../../builder/image/table.ts'
import { scratch } from '../support/scratch.ts'

const onDisk = (guid: string): Buffer => {
  const [a = '', b = '', c = '', ...rest] = guid.split('-')
  const swapped = [a, b, c].map((part) => Buffer.from(part, 'hex').reverse())
  return Buffer.concat([...swapped, Buffer.from(rest.join(''), 'hex')])
}

const disk = '01234567-89ab-4cde-8f01-23456789abcd'
const parts = [
  {
    type: 'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7',
    guid: '11111111-2222-4333-8444-555555555555',
    first: 2048,
    last: 4095,
  },
  {
    type: '0fc63daf-8483-4772-8e79-3d69d8477de4',
    guid: '21111111-2222-4333-8444-555555555555',
    first: 4096,
    last: 8191,
  },
]

/** The first 34 sectors of a disk, as the UEFI specification has them. */
const makeGpt = (): Buffer => {
  const bytes = Buffer.alloc(34 * 512)
  bytes.set([0, 0, 0, 0, 0xee, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0, 0], 446)
  bytes.writeUInt16LE(0xaa55, 510)
  const entries = bytes.subarray(1024)
  for (const [index, { type, guid, first, last }] of parts.entries()) {
    const entry = entries.subarray(128 * index)
    entry.set(onDisk(type))
    entry.set(onDisk(guid), 16)
    entry.writeBigUInt64LE(BigInt(first), 32)
    entry.writeBigUInt64LE(BigInt(last), 40)
  }
  const header = bytes.subarray(512, 512 + 92)
  header.write('EFI PART', 'latin1')
  header.writeUInt32LE(0x10000, 8)
  header.writeUInt32LE(92, 12)
  header.writeBigUInt64LE(1n, 24)
  header.set(onDisk(disk), 56)
  header.writeBigUInt64LE(2n, 72)
  header.writeUInt32LE(128, 80)
  header.writeUInt32LE(128, 84)
  header.writeUInt32LE(crc32(entries), 88)
  header.writeUInt32LE(crc32(header), 16)
  return bytes
}

test('a GPT is read with its GUIDs, which are the PARTUUIDs', async (t) => {
  const path = join(await scratch(t), 'gpt.img')
  await writeFile(path, makeGpt())
  await truncate(path, 8192 * 512)
  const { diskId, partitions } = await readPartitionTable(path)
  t.is(diskId, disk)
  t.deepEqual(
    partitions.map(({ number, startSector, sectors, type }) => [number, startSector, sectors, type]),
    [
      [1, 2048, 2048, 0x0c],
      [2, 4096, 4096, 0x83],
    ],
  )
  t.deepEqual(
    partitions.map((partition) => partuuidOf(diskId, partition)),
    parts.map(({ guid }) => guid),
  )
})

for (const [what, at] of [
  ['its header', 512 + 60],
  ['its entries', 1024 + 33],
] as const) {
  test(`a GPT is refused when a byte of ${what} has changed`, async (t) => {
    const path = join(await scratch(t), 'gpt.img')
    const bytes = makeGpt()
    bytes[at] = (bytes[at] ?? 0) ^ 1
    await writeFile(path, bytes)
    await truncate(path, 8192 * 512)
    await t.throwsAsync(readPartitionTable(path), { code: 'IMAGE_INVALID', message: /damaged GPT/ })
  })
}
