import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { readWriteLog, replayWrites, survivingWrites } from '../../builder/boot/write-log.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { temporaryFolder } from '../profile/_project.ts'
import { tools } from '../support/tools.ts'

const diskBytes = 1 << 20

/** Let QEMU itself write to a disk, with everything taken down; returns the folder. */
const writeThrough = async (folder: string, commands: readonly string[]): Promise<string> => {
  await writeFile(join(folder, 'disk'), Buffer.alloc(diskBytes))
  await writeFile(join(folder, 'log'), '')
  const image = `driver=blklogwrites,file.driver=raw,file.file.driver=file,file.file.filename=${folder}/disk,log.driver=file,log.filename=${folder}/log`
  const words = commands.flatMap((command) => ['-c', command])
  await runTool(tools, ['qemu-io', '--image-opts', ...words, image], { writable: [folder] })
  return join(folder, 'log')
}

test('what QEMU takes down is read, in order, with its flushes', async (t) => {
  const folder = await temporaryFolder(t)
  const log = await writeThrough(folder, ['write -P 1 0 4k', 'flush', 'write -P 2 8k 1k', 'write -f -P 3 12k 512'])
  const entries = await readWriteLog(log)
  const seen = entries.map(({ offset, lengthBytes, isFlush }) => ({ offset, lengthBytes, isFlush }))
  t.deepEqual(seen.slice(0, 3), [
    { offset: 0, lengthBytes: 4096, isFlush: false },
    { offset: 0, lengthBytes: 0, isFlush: true },
    { offset: 8192, lengthBytes: 1024, isFlush: false },
  ])
  t.deepEqual(
    entries.filter(({ offset }) => offset === 12_288).map(({ lengthBytes }) => lengthBytes),
    [512],
  )
})

test('a log that ends within an entry is read up to it; another file is none', async (t) => {
  const folder = await temporaryFolder(t)
  const log = await writeThrough(folder, ['write -P 1 0 4k', 'write -P 2 4k 4k'])
  await truncate(log, 512 + 512 + 4096 + 512 + 1000)
  t.is((await readWriteLog(log)).length, 1)
  await writeFile(log, Buffer.alloc(4096))
  await t.throwsAsync(readWriteLog(log), { message: /no log of writes/ })
})

test('what was flushed is put down, and of the rest what is kept', async (t) => {
  const folder = await temporaryFolder(t)
  const commands = ['write -P 1 0 4k', 'flush', 'write -P 2 0 512', 'write -P 3 4k 512', 'write -P 4 8k 512']
  const log = await writeThrough(folder, commands)
  const entries = await readWriteLog(log)
  const disk = join(folder, 'again')
  await writeFile(disk, Buffer.alloc(diskBytes))
  let asked = 0
  const writes = survivingWrites(entries, 4, () => {
    asked += 1
    return asked === 2
  })
  await replayWrites({ log, disk, writes })
  const bytes = await readFile(disk)
  t.is(asked, 2)
  t.deepEqual(
    [bytes[0], bytes[4095], bytes[4096], bytes[4096 + 511], bytes[4096 + 512], bytes[8192]],
    [1, 1, 3, 3, 0, 0],
  )
})
