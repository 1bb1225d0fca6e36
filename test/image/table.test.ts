import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { exitCodeOf, PibakeError } from '../../builder/core/error.ts'
import { inspectBase } from '../../builder/image/open.ts'
import { decodeTable, encodeTable, type PartitionTable, readPartitionTable } from '../../builder/image/table.ts'

const piTable: PartitionTable = {
  diskId: '0badcafe',
  partitions: [
    { number: 1, type: 0x0c, startSector: 16_384, sectors: 8192 },
    { number: 2, type: 0x83, startSector: 24_576, sectors: 8192 },
  ],
}

const writeImage = async (folder: string, content: Buffer, sizeBytes?: number): Promise<string> => {
  const path = join(folder, 'test.img')
  await writeFile(path, content)
  if (sizeBytes !== undefined) await truncate(path, sizeBytes)
  return path
}

const inFolder = async (work: (folder: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-table-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('a table survives encoding and decoding, leading zeros of the disk id included', (t) => {
  t.deepEqual(decodeTable(encodeTable(piTable)), piTable)
})

test('the record has the signature and the disk id where the format says', (t) => {
  const mbr = encodeTable(piTable)
  t.is(mbr.length, 512)
  t.deepEqual([...mbr.subarray(440, 444)], [0xfe, 0xca, 0xad, 0x0b])
  t.deepEqual([...mbr.subarray(510)], [0x55, 0xaa])
})

test('reads the table of a whole image', async (t) => {
  await inFolder(async (folder) => {
    const path = await writeImage(folder, encodeTable(piTable), 16 << 20)
    t.deepEqual(await readPartitionTable(path), piTable)
  })
})

const withPartitions = (...partitions: PartitionTable['partitions']): Buffer =>
  encodeTable({ diskId: '00000001', partitions })

const refused: [name: string, content: Buffer, sizeBytes: number | undefined, message: RegExp][] = [
  ['an empty file', Buffer.alloc(0), undefined, /is empty/],
  ['a short text', Buffer.from('hello'), undefined, /not a disk image/],
  ['zeros', Buffer.alloc(4096), undefined, /not a disk image/],
  ['a table without partitions', withPartitions(), 1 << 20, /empty partition table/],
  ['a truncated image', encodeTable(piTable), 15 << 20, /is truncated: partition 2 ends at byte 16777216/],
  [
    'a GPT without its header',
    withPartitions({ number: 1, type: 0xee, startSector: 1, sectors: 100 }),
    1 << 20,
    /damaged GPT/,
  ],
  [
    'overlapping partitions',
    withPartitions(
      { number: 1, type: 0x83, startSector: 150, sectors: 100 },
      { number: 2, type: 0x0c, startSector: 100, sectors: 51 },
    ),
    1 << 20,
    /overlapping partitions 2 and 1/,
  ],
  [
    'a partition over the table',
    withPartitions({ number: 3, type: 0x0c, startSector: 0, sectors: 9 }),
    1 << 20,
    /partition 3 that covers the partition table/,
  ],
]

for (const [name, content, sizeBytes, message] of refused) {
  test(`refuses ${name}`, async (t) => {
    await inFolder(async (folder) => {
      const path = await writeImage(folder, content, sizeBytes)
      const error = await t.throwsAsync(readPartitionTable(path), { instanceOf: PibakeError, message })
      t.is(error.code, 'IMAGE_INVALID')
      t.is(exitCodeOf(error), 2)
      t.true(error.message.includes(path))
    })
  })
}

test('refuses a missing file and a folder', async (t) => {
  await inFolder(async (folder) => {
    await t.throwsAsync(readPartitionTable(join(folder, 'absent.img')), { code: 'IMAGE_INVALID', message: /ENOENT/ })
    await t.throwsAsync(readPartitionTable(folder), { code: 'IMAGE_INVALID', message: /is a folder/ })
  })
})

test('a base needs a FAT and a Linux partition with the file systems in them', async (t) => {
  await inFolder(async (folder) => {
    const linuxOnly = withPartitions({ number: 1, type: 0x83, startSector: 2048, sectors: 2048 })
    const path = await writeImage(folder, linuxOnly, 4 << 20)
    await t.throwsAsync(inspectBase(path), { code: 'IMAGE_INVALID', message: /no Raspberry Pi image: it has one part/ })
    const third = { number: 3, type: 0x83, startSector: 32_768, sectors: 8 }
    await writeImage(folder, withPartitions(...piTable.partitions, third), 20 << 20)
    await t.throwsAsync(inspectBase(path), { code: 'IMAGE_INVALID', message: /it has 3 partitions/ })
    const twice = piTable.partitions.map((partition) => ({ ...partition, type: 0x83 }))
    await writeImage(folder, withPartitions(...twice), 16 << 20)
    await t.throwsAsync(inspectBase(path), { code: 'IMAGE_INVALID', message: /lacks a FAT and a Linux/ })
    await writeImage(folder, encodeTable(piTable), 16 << 20)
    await t.throwsAsync(inspectBase(path), { code: 'IMAGE_INVALID', message: /no FAT32 file system in partition 1/ })
  })
})
