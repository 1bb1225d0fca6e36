import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { encodeGpt, gptEndBytes, gptStartBytes, gptTypes, type NewGpt } from '../../builder/image/encode-gpt.ts'
import { readPartitionTable } from '../../builder/image/table.ts'

const sizeBytes = 64 << 20

const gpt: NewGpt = {
  diskGuid: '01234567-89ab-4cde-8f01-23456789abcd',
  partitions: [
    {
      typeGuid: gptTypes.efiSystem,
      guid: 'aaaaaaaa-0000-4000-8000-00000000000a',
      startSector: 2048,
      sectors: 4096,
      name: 'bootfs',
    },
    {
      typeGuid: gptTypes.rootAmd64,
      guid: 'bbbbbbbb-0000-4000-8000-00000000000b',
      startSector: 8192,
      sectors: 1024,
      name: 'rootfs',
    },
  ],
}

test('the fields stand where the specification has them', (t) => {
  const { start, end } = encodeGpt(gpt, sizeBytes)
  t.is(start.length, gptStartBytes)
  t.is(end.length, gptEndBytes)
  t.deepEqual([...start.subarray(446, 462)], [0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0xff, 1, 0])
  t.is(start.toString('latin1', 512, 520), 'EFI PART')
  // The first three groups of a GUID are turned round.
  t.is(start.toString('hex', 1024, 1040), '28732ac11ff8d211ba4b00a0c93ec93b')
  t.is(start.readBigUInt64LE(1024 + 40), 6143n)
  const backup = end.subarray(-512)
  t.is(backup.readBigUInt64LE(24), BigInt(sizeBytes / 512 - 1))
  t.is(backup.readBigUInt64LE(32), 1n)
  t.deepEqual(end.subarray(0, -512), start.subarray(1024))
})

test('what is written is read again', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-gpt-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'test.img')
  const { start, end } = encodeGpt(gpt, sizeBytes)
  const file = await open(path, 'w')
  await file.truncate(sizeBytes)
  await file.write(start, 0, undefined, 0)
  await file.write(end, 0, undefined, sizeBytes - end.length)
  await file.close()
  const table = await readPartitionTable(path)
  t.deepEqual(table, {
    diskId: gpt.diskGuid,
    partitions: [
      { number: 1, type: 0x0c, startSector: 2048, sectors: 4096, guid: gpt.partitions[0]?.guid },
      { number: 2, type: 0x83, startSector: 8192, sectors: 1024, guid: gpt.partitions[1]?.guid },
    ],
  })
})
