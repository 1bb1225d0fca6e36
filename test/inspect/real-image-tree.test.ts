import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { chmod, chown, link, lutimes, mkdir, mkdtemp, open, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { hashBytes } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { sectorBytes } from '../../builder/image/table.ts'
import { walkTree } from '../../builder/image/walk.ts'
import { fileHasher } from '../../builder/inspect/content.ts'
import { readImageTree } from '../../builder/inspect/image-tree.ts'
import type { Entry, Volume } from '../../builder/inspect/volume.ts'
import { bootStart, copyImage, debugImage, makeImage, rootStart } from '../support/make-image.ts'
import { scratch } from '../support/scratch.ts'
import { tools } from '../support/tools.ts'

const isRoot = process.getuid?.() === 0
const ifRoot = isRoot ? test.serial : test.serial.skip

const folder = await mkdtemp(join(tmpdir(), 'pibake-inspect-'))
const root = join(folder, 'tree')
test.after.always(() => rm(folder, { recursive: true, force: true }))

const noise = (name: string, sizeBytes: number): Buffer =>
  Buffer.alloc(sizeBytes, createHash('sha512').update(name).digest())

/** A file of which every other block of 4 KiB is a hole: as many extents as blocks, for a tree of several levels. */
const writeHoley = async (path: string, blocks: number): Promise<void> => {
  await using file = await open(path, 'w')
  for (let block = 0; block < blocks; block += 2) {
    await file.write(noise(`block ${block}`, 4096), 0, 4096, block * 4096)
  }
  await file.truncate(blocks * 4096 + 17)
}

/** cap_net_raw=ep, as ping has it, and one that is too long for an inode. */
const attributes = { 'security.capability': '0100000200200000000000000000000000000000', 'user.long': '61'.repeat(900) }

const nonUtf8 = Buffer.concat([Buffer.from(join(root, 'etc', 'f')), Buffer.from([0xfc]), Buffer.from('r')])

const makeTree = async (): Promise<void> => {
  for (const name of ['etc', 'usr/share/many', 'var/lib', 'dev', 'empty folder']) {
    await mkdir(join(root, name), { recursive: true })
  }
  // Enough names for a hashed folder.
  for (let index = 0; index < 1200; index += 1) {
    await writeFile(join(root, `usr/share/many/a name of some length for number ${index}`), noise(`${index}`, index))
  }
  await writeFile(join(root, 'etc/größe ☃'), 'x')
  await writeFile(nonUtf8, 'latin')
  await writeFile(join(root, 'etc/empty'), '')
  await writeFile(join(root, 'usr/tool'), noise('tool', 3_000_001))
  await link(join(root, 'usr/tool'), join(root, 'etc/tool again'))
  await chown(join(root, 'usr/tool'), 70_000, 100_001)
  await chmod(join(root, 'usr/tool'), 0o4755)
  await writeHoley(join(root, 'var/lib/holey'), 2400)
  await writeFile(join(root, 'var/lib/nothing but hole'), '')
  await truncate(join(root, 'var/lib/nothing but hole'), 3_000_000)
  await symlink('x'.repeat(59), join(root, 'etc/short link'))
  await symlink('x'.repeat(60), join(root, 'etc/long link'))
  await lutimes(join(root, 'etc/short link'), -1_000_000, -1_000_000)
  const inside = `
import os, sys
os.chdir(sys.argv[1])
os.mkfifo('dev/fifo')
for name, value in (${Object.entries(attributes)
    .map(([name, value]) => `('${name}', '${value}')`)
    .join(', ')}):
  os.setxattr('usr/tool', name, bytes.fromhex(value))
`
  await runTool(tools, ['python3', '-c', inside, root], { writable: [root] })
}

test.before(async () => {
  if (isRoot) await makeTree()
})

const volumeOf = (tree: Awaited<ReturnType<typeof readImageTree>>, number: number): Volume => {
  const volume = tree.partitions.find((partition) => partition.number === number)?.volume
  if (!volume) throw new Error(`no file system in partition ${number}`)
  return volume
}

/** One line for each entry, in a form that both a tree on this machine and an image have. */
const describeEntry = async (volume: Volume, entry: Entry): Promise<string> => {
  const { path, kind, sizeBytes, mtimeSeconds, owner, target } = entry
  const content = kind === 'file' ? await fileHasher()(volume, entry) : (target ?? '')
  const access = `${owner?.mode.toString(8)} ${owner?.uid}:${owner?.gid}`
  return [path, kind, sizeBytes, kind === 'folder' ? '' : mtimeSeconds, access, content].join(' ')
}

const describeVolume = async (volume: Volume): Promise<string[]> => {
  const lines: string[] = []
  for (const entry of volume.entries.values()) {
    if (entry.path !== '/lost+found' && entry.path !== '/') lines.push(await describeEntry(volume, entry))
  }
  return lines
}

/** The same lines from the tree itself; the name that is no UTF-8 is looked at apart. */
const describeTree = (): string[] =>
  Array.from(
    walkTree(root, (path) => path.includes('\ufffd')),
    ({ path, stats }) => {
      const kind = (['File', 'Directory', 'SymbolicLink', 'FIFO'] as const).find((name) => stats[`is${name}`]())
      const kinds = { File: 'file', Directory: 'folder', SymbolicLink: 'link', FIFO: 'fifo' }
      const place = join(root, path)
      const target = stats.isSymbolicLink() ? 'x'.repeat(stats.size) : ''
      const content = stats.isFile() ? hashBytes(readFileSync(place)) : target
      const size = stats.isFile() || stats.isSymbolicLink() ? stats.size : 0
      const time = stats.isDirectory() ? '' : Math.floor(stats.mtimeMs / 1000)
      const access = `${(stats.mode & 0o7777).toString(8)} ${stats.uid}:${stats.gid}`
      return [path, kind && kinds[kind], size, time, access, content].join(' ')
    },
  ).slice(1)

/** What one list has that the other has not. */
const differences = (one: readonly string[], other: readonly string[]): string[] => [
  ...new Set(one).symmetricDifference(new Set(other)),
]

const forms: [name: string, options: string[]][] = [
  ['as pibake writes it', ['-t', 'ext4', '-O', '^huge_file,^64bit,^metadata_csum_seed,^orphan_file']],
  [
    'with 64 bits and all that is new',
    ['-t', 'ext4', '-O', '64bit,huge_file,metadata_csum_seed,orphan_file,uninit_bg'],
  ],
  ['with blocks of 1 KiB', ['-t', 'ext4', '-b', '1024']],
  ['without extents', ['-t', 'ext4', '-b', '1024', '-O', '^extent,^64bit']],
  ['ext2, without types in folders', ['-t', 'ext2', '-b', '1024', '-I', '256', '-O', '^filetype']],
]

for (const [name, options] of forms) {
  ifRoot(`reads what mke2fs writes: ${name}`, async (t) => {
    const image = join(await scratch(t), 'test.img')
    await makeImage(image, { root, options })
    await using tree = await readImageTree(image)
    const volume = volumeOf(tree, 2)
    const lines = (await describeVolume(volume)).filter((line) => !line.includes('\\xfc'))
    t.deepEqual(differences(lines, describeTree()), [])
    t.true(lines.length > 1200)
    t.is(volume.label, 'rootfs')

    const odd = volume.entries.get('/etc/f\\xfcr')
    t.is(odd?.sizeBytes, 5)
    const again = volume.entries.get('/etc/tool again')
    t.is(again?.inode, volume.entries.get('/usr/tool')?.inode)
    t.deepEqual(again?.attributes, attributes)
    t.is(volume.entries.get('/etc/empty')?.attributes, undefined)
  })
}

ifRoot('an ext4 that keeps files in its inodes is refused', async (t) => {
  const image = join(await scratch(t), 'test.img')
  await makeImage(image, { root, options: ['-t', 'ext4', '-O', 'inline_data'] })
  const error = await t.throwsAsync(readImageTree(image), { instanceOf: PibakeError })
  t.is(error?.code, 'IMAGE_INVALID')
  t.regex(error?.message ?? '', /features that are not supported, 0x8000 .* \(partition 2\)/)
})

ifRoot('agrees with debugfs about inodes, blocks and features', async (t) => {
  const image = join(await scratch(t), 'test.img')
  await makeImage(image, { root })
  const debugfs = (...commands: string[]): Promise<string> => debugImage(image, commands)
  // Blocks that are reserved and not written, and the nodes that no unprivileged tree can have.
  await debugfs('fallocate /etc/empty 0 9', 'sif /etc/empty size 30000', 'sif /etc/empty mtime @4102444800')
  await debugfs('cd dev', 'mknod null c 1 3', 'mknod big b 259 700', 'mknod old b 8 17')
  await using tree = await readImageTree(image)
  const volume = volumeOf(tree, 2)
  t.is(volume.entries.get('/dev/null')?.device, '1:3')
  t.is(volume.entries.get('/dev/old')?.device, '8:17')
  t.is(volume.entries.get('/dev/big')?.device, '259:700')
  t.is(volume.entries.get('/dev/big')?.kind, 'block device')
  const reserved = volume.entries.get('/etc/empty')
  t.is(reserved?.mtimeSeconds, 4_102_444_800)
  t.is(reserved && (await fileHasher()(volume, reserved)), hashBytes(Buffer.alloc(30_000)))

  const paths = ['/usr/tool', '/var/lib/holey', '/etc/long link', '/usr/share/many', '/dev/fifo', '/etc/empty']
  for (const path of paths) {
    const told = await debugfs(`stat "${path}"`)
    const entry = volume.entries.get(path)
    t.is(String(entry?.inode), told.match(/Inode: (\d+)/)?.[1] ?? '')
    t.is(String((entry?.usedBytes ?? 0) / 512), told.match(/Blockcount: (\d+)/)?.[1] ?? '', path)
  }
  const features = (await debugfs('features')).match(/Filesystem features: (.*)/)?.[1]
  t.deepEqual(volume.features, features?.trim().split(/\s+/).sort())
})

ifRoot('reads the files of a FAT, with their names and times', async (t) => {
  const place = await scratch(t)
  const boot = join(place, 'boot')
  await mkdir(join(boot, 'overlays/deeper'), { recursive: true })
  const files: Record<string, Buffer> = {
    'config.txt': Buffer.from('arm_64bit=1\n'),
    'kernel8.img': noise('kernel', 3_000_001),
    EMPTY: Buffer.alloc(0),
    'README.TXT': Buffer.from('upper'),
    'Mixed.Case': Buffer.from('mixed'),
    'größe ☃.dtbo': Buffer.from('umlaut'),
    'overlays/a name that fills more than two entries of thirteen letters.dtbo': noise('overlay', 700),
  }
  for (let index = 0; index < 200; index += 1)
    files[`overlays/deeper/part-${index}.dtbo`] = noise(`${index}`, index * 40)
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(boot, name), content)
    await lutimes(join(boot, name), 1_700_000_000, 1_700_000_000)
  }
  const image = join(place, 'test.img')
  await makeImage(image, { root, boot })
  await using tree = await readImageTree(image)
  const volume = volumeOf(tree, 1)
  t.is(volume.label, 'bootfs')
  const read: string[] = []
  for (const entry of volume.entries.values()) {
    if (entry.kind === 'file') {
      read.push(`${entry.path} ${await fileHasher()(volume, entry)}`)
      t.is(entry.mtimeSeconds, 1_700_000_000, entry.path)
      t.is(entry.owner, undefined)
    }
  }
  const written = Object.entries(files).map(([name, content]) => `/${name} ${hashBytes(content)}`)
  t.deepEqual(differences(read, written), [])
  t.deepEqual(
    [...volume.entries.values()].filter(({ kind }) => kind === 'folder').map(({ path }) => path),
    ['/', '/overlays', '/overlays/deeper'],
  )
})

/** A generator of whole numbers below 2³², the same every time (mulberry32). */
const numbers = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  const mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  return ((mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ (mixed >>> 14)) >>> 0
}

ifRoot('damage is a refusal that names the image, whatever it hits', async (t) => {
  const place = await scratch(t)
  const whole = join(place, 'whole.img')
  await makeImage(whole, { root, options: ['-t', 'ext4', '-N', '2048', '-O', '^metadata_csum'] })
  const image = join(place, 'damaged.img')
  await copyImage(whole, image)
  const next = numbers(7)
  let refused = 0
  await using file = await open(image, 'r+')
  await using sound = await open(whole, 'r')
  // Superblock, descriptors, inodes and the first folders lie at the beginning.
  const areas = [
    { start: rootStart * sectorBytes + 1024, length: 8192 },
    { start: rootStart * sectorBytes, length: 2 << 20 },
    { start: bootStart * sectorBytes + 11, length: 60 },
    { start: bootStart * sectorBytes, length: 1 << 20 },
  ]
  for (let round = 0; round < 120; round += 1) {
    const area = areas[round % areas.length] ?? { start: 0, length: 1 }
    const places = Array.from({ length: 40 }, () => area.start + (next() % area.length))
    for (const at of places) await file.write(Buffer.from([next() & 0xff]), 0, 1, at)
    try {
      await using tree = await readImageTree(image)
      t.is(tree.partitions.length, 2)
    } catch (error) {
      refused += 1
      if (!(error instanceof PibakeError) || error.code !== 'IMAGE_INVALID') throw error
      t.true(error.message.includes('damaged.img'))
    }
    for (const at of places) {
      const { buffer } = await sound.read(Buffer.alloc(1), 0, 1, at)
      await file.write(buffer, 0, 1, at)
    }
  }
  t.true(refused > 20, `${refused} were refused`)
  await using mended = await readImageTree(image)
  t.true(volumeOf(mended, 2).entries.size > 1200)
})
