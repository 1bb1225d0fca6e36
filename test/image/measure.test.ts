import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { clusterSectors, listBoot } from '../../builder/image/boot.ts'
import { fitFileSystem, measureTree } from '../../builder/image/measure.ts'

const inFolder = async (work: (folder: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-measure-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('counts blocks and inodes, hard links once, skipped paths not at all', async (t) => {
  await inFolder(async (root) => {
    await writeFile(join(root, 'one'), Buffer.alloc(4097))
    await link(join(root, 'one'), join(root, 'two'))
    await writeFile(join(root, 'empty'), '')
    await symlink('x'.repeat(59), join(root, 'short'))
    await symlink('x'.repeat(60), join(root, 'long'))
    await mkdir(join(root, 'skipped'))
    await writeFile(join(root, 'skipped', 'big'), Buffer.alloc(100_000))
    // The root folder, one/two, empty, short, long: 1 + 2 + 0 + 0 + 1 blocks.
    t.deepEqual(
      measureTree(root, (path) => path === '/skipped'),
      { blocks: 4, inodes: 5 },
    )
  })
})

for (const [blocks, inodes, marginMiB] of [
  [1, 1, 0],
  [150_000, 12_000, 256],
  [250_000, 60_000, 64],
  [20_000, 90_000, 64],
] as const) {
  test(`a file system for ${blocks} blocks and ${inodes} inodes has room for them and the margin`, (t) => {
    const size = fitFileSystem({ blocks, inodes }, marginMiB)
    t.is(size.sizeBytes % (4 << 20), 0)
    t.true(size.inodes > inodes * 1.1)
    const spare = size.sizeBytes - blocks * 4096 - size.inodes * 256 - ((marginMiB + 32) << 20)
    t.true(spare > 0)
    t.true(spare < blocks * 4096 * 0.02 + (30 << 20), 'no more is added than metadata takes')
  })
}

for (const [mebibytes, expected] of [
  [32, undefined],
  [34, 1],
  [64, 1],
  [128, 2],
  [256, 4],
  [512, 8],
  [4096, 8],
] as const) {
  test(`a boot partition of ${mebibytes} MiB has clusters of ${expected ?? 'no possible'} sectors`, (t) => {
    const sectors = clusterSectors(mebibytes * 2 ** 20)
    t.is(sectors, expected)
    if (sectors) t.true((mebibytes * 2 ** 20) / (sectors * 512) > 65_525)
  })
}

test('lists boot files sorted, folders first seen before what they hold', async (t) => {
  await inFolder(async (root) => {
    await mkdir(join(root, 'overlays', 'deep'), { recursive: true })
    for (const path of ['b', 'a', 'overlays/z', 'overlays/deep/y']) await writeFile(join(root, path), '12')
    t.deepEqual(listBoot(root), {
      folders: [
        { path: '', files: ['/a', '/b'] },
        { path: '/overlays', files: ['/overlays/z'] },
        { path: '/overlays/deep', files: ['/overlays/deep/y'] },
      ],
      sizeBytes: 8,
    })
  })
})

test('refuses what FAT cannot hold', async (t) => {
  await inFolder(async (root) => {
    await symlink('kernel8.img', join(root, 'kernel'))
    t.throws(() => listBoot(root), { code: 'STAGE_FAILED', message: /`\/boot\/firmware\/kernel` is neither/ })
    await rm(join(root, 'kernel'))
    await writeFile(join(root, 'README'), '')
    await writeFile(join(root, 'readme'), '')
    t.throws(() => listBoot(root), { code: 'STAGE_FAILED', message: /differ in case only/ })
  })
})
