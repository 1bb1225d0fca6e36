import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { derive } from '../../builder/cache/derived.ts'
import { hashBytes } from '../../builder/core/digest.ts'
import { runCommand } from '../../builder/host/command.ts'
import { scratch } from '../support/scratch.ts'

test('a file system that fills up leaves no blob and no derived file', async (t) => {
  if (process.getuid?.() !== 0) {
    t.log('skipped: a small file system is mounted, which needs root')
    t.pass()
    return
  }
  const folder = await scratch(t)
  const cache = join(folder, 'small')
  await mkdir(cache)
  await runCommand(['mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', cache])
  try {
    const blobs = openBlobs(cache)
    const file = join(folder, 'large')
    await writeFile(file, Buffer.alloc(1_000_000, 'x'))
    await t.throwsAsync(blobs.importFile(file), { code: 'DISK_FULL' })
    const produce = (path: string): Promise<void> => writeFile(path, Buffer.alloc(1_000_000))
    await t.throwsAsync(derive(cache, { key: hashBytes('k'), label: 'large' }, produce), { code: 'DISK_FULL' })
    t.deepEqual(await readdir(cache, { recursive: true }), ['incoming'])
    await writeFile(file, 'small enough')
    t.is((await blobs.importFile(file)).sizeBytes, 12)
  } finally {
    await runCommand(['umount', cache])
  }
})
