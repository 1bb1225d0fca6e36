import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import {
  chmod,
  chown,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  open,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import test from 'ava'
import { hashBytes, hashFile } from '../../builder/core/digest.ts'
import { PibakeError } from '../../builder/core/error.ts'
import type { PibakeEvent } from '../../builder/core/event.ts'
import { runCommand } from '../../builder/host/command.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { type AssembleOptions, assembleImage } from '../../builder/image/assemble.ts'
import { baseLayout, newLayout } from '../../builder/image/layout.ts'
import { type BaseImage, extractBoot, inspectBase } from '../../builder/image/open.ts'
import { encodeTable } from '../../builder/image/table.ts'
import { walkTree } from '../../builder/image/walk.ts'
import { compressImage, compressions } from '../../builder/publish/compress.ts'
import { tools } from '../support/tools.ts'

const timeSeconds = 1_700_000_000
const rootUuid = '11111111-2222-4333-8444-555555555555'
const isRoot = process.getuid?.() === 0
const ifRoot = isRoot ? test.serial : test.serial.skip

const folder = mkdtempSync(join(tmpdir(), 'pibake-assemble-'))

/** Content that depends on its name only, so that two trees can be made in any order. */
const contentOf = (name: string, sizeBytes: number): Buffer => {
  const block = createHash('sha512').update(name).digest()
  return Buffer.alloc(sizeBytes, block)
}

const files: [path: string, content: Buffer, mode: number, owner: number][] = [
  ...Array.from({ length: 300 }, (_, index): [string, Buffer, number, number] => [
    `/usr/share/many/file-${index}`,
    contentOf(`many ${index}`, (index * 977) % 20_000),
    0o644,
    0,
  ]),
  ['/usr/bin/tool', contentOf('tool', 900_000), 0o4755, 0],
  ['/var/lib/ssb/größe ☃', contentOf('umlaut', 5000), 0o600, 1234],
  // Whole blocks of zeros inside a file: a dirty card must get them all the same.
  ['/var/lib/zeros', Buffer.concat([Buffer.alloc(1 << 20), contentOf('end', 10)]), 0o640, 0],
  ['/var/big', contentOf('big', 40 << 20), 0o644, 0],
  ['/var/cache/left-out/x', contentOf('x', 10), 0o644, 0],
  ['/boot/firmware/config.txt', Buffer.from('arm_64bit=1\n'), 0o755, 0],
  ['/boot/firmware/kernel8.img', contentOf('kernel', 3_000_001), 0o755, 0],
  ['/boot/firmware/overlays/A long name of an overlay.dtbo', contentOf('overlay', 700), 0o755, 0],
]

const makeTree = async (root: string, order: typeof files): Promise<void> => {
  for (const [path, content, mode, owner] of order) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
    await chown(join(root, path), owner, owner)
    await chmod(join(root, path), mode)
  }
  await mkdir(join(root, 'proc'))
  await chmod(join(root, 'proc'), 0o555)
  await symlink('usr/bin', join(root, 'bin'))
  await symlink('../'.repeat(40), join(root, 'var/long-link'))
  await link(join(root, 'usr/bin/tool'), join(root, 'usr/bin/tool-again'))
  // Older than the lock's time, so it is kept.
  await utimes(join(root, 'usr/bin/tool'), 1_500_000_000, 1_500_000_000)
  // cap_net_raw=ep, the extended attribute that ping has; see capabilities(7), version 2.
  const setCapability = "import os,sys; os.setxattr(sys.argv[1], 'security.capability', bytes.fromhex(sys.argv[2]))"
  const capability = '0100000200200000000000000000000000000000'
  await runTool(tools, ['python3', '-c', setCapability, join(root, 'usr/bin/tool'), capability], { writable: [root] })
}

const optionsFor = (root: string, name: string, change: Partial<AssembleOptions> = {}): AssembleOptions => ({
  tools,
  root,
  destination: join(folder, 'images', name),
  layout: newLayout({ diskId: '0badcafe', rootUuid, bootMiB: 40 }),
  hashSeed: '99999999-2222-4333-8444-555555555555',
  marginMiB: 16,
  timeSeconds,
  excludes: ['/var/cache/left-out'],
  emit: () => undefined,
  ...change,
})

const root = join(folder, 'first')
test.before(async () => {
  if (isRoot) await makeTree(root, files)
})
test.after.always(() => rm(folder, { recursive: true, force: true }))

/** Copy one partition of an image into a file of its own. */
const cutPartition = async (image: string, { offsetBytes, sizeBytes }: BaseImage['root' | 'boot'], to: string) => {
  await using source = await open(image, 'r')
  await using target = await open(to, 'w')
  const buffer = Buffer.alloc(4 << 20)
  for (let done = 0; done < sizeBytes; done += buffer.length) {
    const length = Math.min(buffer.length, sizeBytes - done)
    await source.read(buffer, 0, length, offsetBytes + done)
    await target.write(buffer, 0, length, done)
  }
}

/** Check a copy of the root partition with e2fsck, and read all its files back with debugfs. */
const readRootBack = async (image: string, name: string): Promise<string> => {
  const info = await inspectBase(image)
  const partition = join(folder, `${name}.ext4`)
  const destination = join(folder, `${name}.files`)
  await cutPartition(image, info.root, partition)
  await mkdir(destination)
  await runTool(tools, ['e2fsck', '-fn', partition], { readOnly: [partition] })
  await runTool(tools, ['debugfs', '-R', `rdump / ${destination}`, partition], {
    readOnly: [partition],
    writable: [destination],
  })
  await rm(partition)
  return destination
}

/** Mode, owner, time and content of every entry; without setuid, which debugfs drops when it writes files out. */
const describeTree = (tree: string, skip: (path: string) => boolean): string[] =>
  Array.from(walkTree(tree, skip), ({ path, stats }) => {
    const place = join(tree, path)
    const content = stats.isFile() ? hashBytes(readFileSync(place)) : ''
    const time = stats.isFile() ? Math.min(stats.mtimeMs / 1000, timeSeconds) : ''
    return [path, stats.isSymbolicLink() ? 'link' : (stats.mode & ~0o6000).toString(8), stats.uid, time, content].join(
      ' ',
    )
  })

/** What one tree has that the other has not. */
const differences = (one: string, other: string): string[] => {
  const [left, right] = [new Set(describeTree(one, isLeftOut)), new Set(describeTree(other, isLeftOut))]
  return [...left.symmetricDifference(right)]
}

const isLeftOut = (path: string): boolean =>
  path === '/var/cache/left-out' || path === '/lost+found' || path.startsWith('/boot/firmware/')

ifRoot('the image holds the tree, and every checker is content', async (t) => {
  const events: PibakeEvent[] = []
  const options = optionsFor(root, 'one.img', { emit: (event) => events.push(event) })
  const { sizeBytes, sha256 } = await assembleImage(options)
  const image = options.destination
  t.is((await stat(image)).size, sizeBytes)
  t.is(await hashFile(image), sha256)
  t.is(await readFile(`${image}.sha256`, 'utf8'), `${sha256}  one.img\n`)
  t.true((await stat(image)).blocks * 512 < sizeBytes, 'the file is sparse')
  t.deepEqual(readdirSync(dirname(image)), ['one.img', 'one.img.bmap', 'one.img.sha256'])
  t.true(events.some((event) => event.type === 'step-progress' && event.id === 'assemble'))

  const info = await inspectBase(image)
  t.is(info.diskId, '0badcafe')
  t.is(info.boot.offsetBytes, 8 << 20)
  t.is(info.boot.sizeBytes, 40 << 20)
  t.is(info.boot.partuuid, '0badcafe-01')
  t.is(info.boot.fat.label, 'bootfs')
  t.is(info.boot.fat.volumeId, '0BAD-CAFE')
  t.is(info.root.offsetBytes, 48 << 20)
  t.is(info.root.partuuid, '0badcafe-02')
  t.is(info.root.ext4.label, 'rootfs')
  t.is(info.root.ext4.uuid, rootUuid)
  t.true(info.root.ext4.clean)
  t.true(info.root.ext4.freeBlocks * 4096 >= 16 << 20, 'the margin is free')

  const { stdout } = await runTool(tools, ['sfdisk', '--verify', image], { readOnly: [image] })
  t.regex(stdout, /No errors detected/)
  const boot = join(folder, 'one.fat')
  await cutPartition(image, info.boot, boot)
  await t.notThrowsAsync(runTool(tools, ['fsck.vfat', '-n', boot], { readOnly: [boot] }))

  const read = await readRootBack(image, 'one')
  t.deepEqual(differences(read, root), [])
  t.deepEqual(readdirSync(join(read, 'boot/firmware')), [])
  t.false(readdirSync(join(read, 'var/cache')).includes('left-out'))

  const extracted = join(folder, 'one.boot')
  await extractBoot({ tools, image: info, destination: extracted })
  const contents = (tree: string): string[] =>
    Array.from(walkTree(tree), ({ path, stats }) =>
      stats.isFile() ? `${path} ${hashBytes(readFileSync(join(tree, path)))}` : path,
    )
  t.deepEqual(contents(extracted), contents(join(root, 'boot/firmware')))
})

ifRoot('an image upon a base keeps its ids, labels, features and places', async (t) => {
  const base = join(folder, 'base.img')
  const [bootStart, rootStart] = [4 << 20, 60 << 20]
  const table = encodeTable({
    diskId: '00c0ffee',
    partitions: [
      { number: 1, type: 0x0c, startSector: bootStart / 512, sectors: (52 << 20) / 512 },
      { number: 2, type: 0x83, startSector: rootStart / 512, sectors: (64 << 20) / 512 },
    ],
  })
  await writeFile(base, table)
  await truncate(base, rootStart + (64 << 20))
  const fat = [
    'mkfs.vfat',
    '-F',
    '32',
    '-n',
    'SYSTEM',
    '-i',
    'DEADBEEF',
    '-s',
    '1',
    '--offset',
    String(bootStart / 512),
  ]
  await runTool(tools, [...fat, base, String(52 << 10)], { writable: [base] })
  const features = [
    '-O',
    '^huge_file,^64bit,^has_journal',
    '-L',
    'writable',
    '-U',
    '21111111-2222-4333-8444-555555555555',
  ]
  const ext4 = ['mke2fs', '-q', '-F', '-t', 'ext4', ...features, '-E', `offset=${rootStart}`, base, '64m']
  await runTool(tools, ext4, { writable: [base] })

  const before = await inspectBase(base)
  t.false(before.root.ext4.features?.includes('has_journal'))
  const options = optionsFor(root, 'upon.img', { layout: baseLayout(before, { bootMiB: 20 }) })
  await assembleImage(options)
  const after = await inspectBase(options.destination)
  const kept = ({ diskId, boot, root: { ext4, ...place } }: BaseImage) => [
    ...[
      diskId,
      boot.partuuid,
      boot.offsetBytes,
      boot.sizeBytes,
      boot.fat.label,
      boot.fat.volumeId,
      boot.fat.clusterBytes,
    ],
    ...[place.partuuid, place.offsetBytes, ext4.label, ext4.uuid, ext4.features],
  ]
  t.deepEqual(kept(after), kept(before))
  t.deepEqual(differences(await readRootBack(options.destination, 'upon'), root), [])
  const larger = baseLayout(before, { bootMiB: 100 })
  t.deepEqual([larger.boot.sizeBytes, larger.root.startBytes], [100 << 20, 104 << 20])
})

ifRoot('links, capabilities and features are as they should be', async (t) => {
  const image = join(folder, 'images', 'one.img')
  const { root: place } = await inspectBase(image)
  const partition = join(folder, 'details.ext4')
  await cutPartition(image, place, partition)
  const ask = async (question: string): Promise<string> =>
    (await runTool(tools, ['debugfs', '-R', question, partition], { readOnly: [partition] })).stdout
  t.regex(await ask('stat /usr/bin/tool'), /Mode: +04755 .*Links: 2 .*security\.capability \(20\)/s)
  t.regex(await ask('stat /var/long-link'), /Type: symlink.*Size: 120/s)
  const features = await ask('features')
  for (const name of ['has_journal', 'extent', 'metadata_csum']) t.true(features.includes(name), name)
  for (const name of ['64bit', 'huge_file', 'orphan_file', 'metadata_csum_seed']) t.false(features.includes(name), name)
})

ifRoot('a tree made in another order at another time gives the same bytes', async (t) => {
  const second = join(folder, 'second')
  await makeTree(second, files.toReversed())
  for (const { path, stats } of walkTree(second)) {
    const isOlder = stats.mtimeMs / 1000 < timeSeconds
    if (!isOlder && !stats.isSymbolicLink()) utimesSync(join(second, path), 1_800_000_000, 1_800_000_000)
  }
  await assembleImage(optionsFor(second, 'two.img'))
  const one = join(folder, 'images', 'one.img')
  const two = join(folder, 'images', 'two.img')
  t.is(await hashFile(two), await hashFile(one))
  t.is(await readFile(`${two}.bmap`, 'utf8'), await readFile(`${one}.bmap`, 'utf8'))
})

ifRoot('the mapped ranges alone make a whole card of a dirty one', async (t) => {
  const image = join(folder, 'images', 'one.img')
  const bmap = await readFile(`${image}.bmap`, 'utf8')
  const card = join(folder, 'card.img')
  const { size } = await stat(image)
  await writeFile(card, Buffer.alloc(size, 0xff))
  const content = await readFile(image)
  let mapped = 0
  {
    await using target = await open(card, 'r+')
    for (const [, chksum, first, last] of bmap.matchAll(/<Range chksum="(\w+)"> (\d+)(?:-(\d+))? </g)) {
      const range = content.subarray(Number(first) * 4096, (Number(last ?? first) + 1) * 4096)
      t.is(String(hashBytes(range)), String(chksum))
      await target.write(range, 0, range.length, Number(first) * 4096)
      mapped += range.length
    }
  }
  t.true(mapped < size, 'something is left out')
  t.is(mapped / 4096, Number(/<MappedBlocksCount> (\d+) </.exec(bmap)?.[1]))
  const read = await readRootBack(card, 'card')
  t.deepEqual(differences(read, root), [])
  const boot = join(folder, 'card.fat')
  const info = await inspectBase(card)
  await cutPartition(card, info.boot, boot)
  await t.notThrowsAsync(runTool(tools, ['fsck.vfat', '-n', boot], { readOnly: [boot] }))
  const extracted = join(folder, 'card.boot')
  await extractBoot({ tools, image: info, destination: extracted })
  t.deepEqual(readFileSync(join(extracted, 'kernel8.img')), contentOf('kernel', 3_000_001))
})

const hasBmaptool = (process.env.PATH ?? '').split(delimiter).some((place) => existsSync(join(place, 'bmaptool')))
const withBmaptool = isRoot && hasBmaptool ? test.serial : test.serial.skip
const whyNot = hasBmaptool ? '' : ' (this machine has no bmaptool; `test/run full` installs it with apt)'

withBmaptool(`bmaptool finds the block map of the image and of its archives, and copies by it${whyNot}`, async (t) => {
  const image = join(folder, 'images', 'one.img')
  const expected = await hashFile(image)
  const archives = await Promise.all(
    compressions.map(async (compression) => {
      const destination = `${image}.${compression}`
      await compressImage({ tools, image, compression, destination, emit: () => undefined, stepId: 'compress' })
      return destination
    }),
  )
  for (const source of [image, ...archives]) {
    const card = join(folder, 'bmaptool.img')
    const { stderr } = await runCommand(['bmaptool', 'copy', '--no-sig-verify', source, card])
    t.true(stderr.includes(`discovered bmap file '${image}.bmap'`), stderr)
    t.is(await hashFile(card), expected, source)
    await rm(card)
  }
  // It checks what it writes against the sums of the map.
  const text = await readFile(`${image}.bmap`, 'utf8')
  const spoilt = `${image}.spoilt`
  await copyFile(image, spoilt)
  const at = 4096 * Number(/<Range chksum="\w+"> (\d+)/.exec(text.slice(text.lastIndexOf('<Range')))?.[1])
  await using file = await open(spoilt, 'r+')
  await file.write(Buffer.from('x'), 0, 1, at)
  const copy = ['bmaptool', 'copy', '--no-sig-verify', '--bmap', `${image}.bmap`, spoilt, join(folder, 'bmaptool.img')]
  const error = await t.throwsAsync(runCommand(copy), { instanceOf: PibakeError })
  t.regex(error?.details.join('\n') ?? '', /checksum mismatch/)
})

ifRoot('a size that was guessed too small is raised until the tree fits', async (t) => {
  const events: PibakeEvent[] = []
  // Less than no margin: too small by more than what the estimate allows for.
  const options = optionsFor(root, 'tight.img', { marginMiB: -9, emit: (event) => events.push(event) })
  await assembleImage(options)
  t.true(events.some((event) => event.type === 'debug' && event.message.includes('too small')))
  const read = await readRootBack(options.destination, 'tight')
  t.deepEqual(differences(read, root), [])
})

ifRoot('a boot partition that is too small is named, and the older image stays', async (t) => {
  const options = optionsFor(root, 'kept.img')
  await mkdir(dirname(options.destination), { recursive: true })
  await writeFile(options.destination, 'older')
  await t.throwsAsync(assembleImage({ ...options, layout: newLayout({ diskId: '0badcafe', rootUuid, bootMiB: 20 }) }), {
    code: 'CONFIG_INVALID',
    message: /is too small/,
  })
  t.is(await readFile(options.destination, 'utf8'), 'older')
  t.deepEqual(
    readdirSync(dirname(options.destination)).filter((name) => name.startsWith('.')),
    [],
  )
})

ifRoot('an interruption leaves the older image and nothing else', async (t) => {
  t.timeout(30_000)
  const options = optionsFor(root, 'kept.img')
  await mkdir(dirname(options.destination), { recursive: true })
  await writeFile(options.destination, 'older')
  for (const afterMs of [0, 30, 100, 200]) {
    const error = await t.throwsAsync(assembleImage({ ...options, signal: AbortSignal.timeout(afterMs) }), {
      instanceOf: PibakeError,
    })
    t.is(error.code, 'INTERRUPTED')
    t.is(await readFile(options.destination, 'utf8'), 'older')
    t.deepEqual(
      readdirSync(dirname(options.destination)).filter((name) => name.startsWith('.')),
      [],
    )
  }
})

const onSmallDisk = async (mebibytes: number, work: (disk: string) => Promise<void>): Promise<void> => {
  const disk = await mkdtemp(join(folder, 'disk-'))
  await runCommand(['mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', disk])
  try {
    await work(disk)
  } finally {
    await runCommand(['umount', disk])
  }
}

ifRoot('too little space is said before anything is written', async (t) => {
  await onSmallDisk(30, async (disk) => {
    const destination = join(disk, 'full.img')
    const error = await t.throwsAsync(assembleImage({ ...optionsFor(root, ''), destination }), {
      instanceOf: PibakeError,
      code: 'DISK_FULL',
    })
    t.regex(error.message, /needs \d+ MB, .* has 31 MB/)
    t.deepEqual(readdirSync(disk), [])
  })
})

ifRoot('a disk that fills up meanwhile leaves the older image and nothing else', async (t) => {
  await onSmallDisk(150, async (disk) => {
    const destination = join(disk, 'full.img')
    await writeFile(destination, 'older')
    // Takes the space once the check up front has passed.
    const emit = (event: PibakeEvent): void => {
      if (event.type === 'debug') writeFileSync(join(disk, 'ballast'), Buffer.alloc(130 << 20))
    }
    const error = await t.throwsAsync(assembleImage({ ...optionsFor(root, ''), destination, emit }), {
      instanceOf: PibakeError,
      code: 'DISK_FULL',
    })
    t.regex(error.message, /became full/)
    t.is(await readFile(destination, 'utf8'), 'older')
    t.deepEqual(readdirSync(disk).sort(), ['ballast', 'full.img'])
  })
})

ifRoot('an image cut short or not cleanly unmounted is refused as a base', async (t) => {
  const image = join(folder, 'images', 'one.img')
  const broken = join(folder, 'broken.img')
  cpSync(image, broken)
  const { root: place } = await inspectBase(image)
  {
    await using file = await open(broken, 'r+')
    await file.write(Buffer.from([2, 0]), 0, 2, place.offsetBytes + 1024 + 58)
  }
  await t.throwsAsync(inspectBase(broken), { code: 'IMAGE_INVALID', message: /not cleanly unmounted/ })
  await truncate(broken, place.offsetBytes + 4096)
  await t.throwsAsync(inspectBase(broken), { code: 'IMAGE_INVALID', message: /is truncated/ })
})
