import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Device, findDevice, isSameCard, listRemovable, readDevice } from '../../builder/flash/device.ts'
import { assertWritable, refusalOf } from '../../builder/flash/guard.ts'
import { deviceNumber, type KernelPaths } from '../../builder/flash/kernel.ts'
import { scratch } from '../support/scratch.ts'

interface Made {
  /** Below /sys/devices, ending in the kernel's name. */
  folder: string
  number: string
  files?: Readonly<Record<string, string>>
  partitions?: Readonly<Record<string, { number: string; holders?: readonly string[] }>>
  holders?: readonly string[]
}

/** A tree as the kernel has it in sysfs and /proc. */
const makeKernel = async (
  t: ExecutionContext,
  disks: readonly Made[],
  proc: { mounts?: string; swaps?: string } = {},
): Promise<KernelPaths> => {
  const root = await scratch(t)
  const paths = { sys: join(root, 'sys'), proc: join(root, 'proc'), dev: join(root, 'dev') }
  const put = async (path: string, content: string): Promise<void> => {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, `${content}\n`)
  }
  const register = async (folder: string, number: string, name: string, isDisk: boolean): Promise<void> => {
    for (const place of [`dev/block/${number}`, `class/block/${name}`, ...(isDisk ? [`block/${name}`] : [])]) {
      await mkdir(dirname(join(paths.sys, place)), { recursive: true })
      await symlink(folder, join(paths.sys, place))
    }
  }
  for (const { folder: below, number, files = {}, partitions = {}, holders = [] } of disks) {
    const folder = join(paths.sys, 'devices', below)
    const name = folder.slice(folder.lastIndexOf('/') + 1)
    await put(join(folder, 'dev'), number)
    for (const [file, content] of Object.entries({ size: '2048', ro: '0', removable: '0', diskseq: '7', ...files })) {
      await put(join(folder, file), content)
    }
    for (const holder of holders) await put(join(folder, 'holders', holder), '')
    await register(folder, number, name, true)
    for (const [part, { number: partNumber, holders: partHolders = [] }] of Object.entries(partitions)) {
      await put(join(folder, part, 'dev'), partNumber)
      await put(join(folder, part, 'partition'), '1')
      for (const holder of partHolders) await put(join(folder, part, 'holders', holder), '')
      await register(join(folder, part), partNumber, part, false)
    }
  }
  await put(join(paths.proc, 'self/mountinfo'), proc.mounts ?? '')
  await put(join(paths.proc, 'swaps'), proc.swaps ?? 'Filename Type Size Used Priority')
  return paths
}

const usb = (name: string, number: string, more: Partial<Made> = {}): Made => ({
  folder: `pci0000:00/usb1/1-2/host0/block/${name}`,
  number,
  ...more,
  files: { 'device/vendor': 'SanDisk ', 'device/model': 'Ultra', ...more.files },
})

test('drives that can be taken out are listed, in order, with maker and model', async (t) => {
  const paths = await makeKernel(t, [
    usb('sdc', '8:32'),
    usb('sdb', '8:16', { files: { size: '0' } }),
    { folder: 'pci0/ata1/block/sda', number: '8:0' },
    {
      folder: 'platform/mmc_host/mmc0/mmc0:1/block/mmcblk0',
      number: '179:0',
      files: { 'device/type': 'SD', 'device/name': 'SC32G' },
    },
    {
      folder: 'platform/mmc_host/mmc1/mmc1:1/block/mmcblk1',
      number: '179:8',
      files: { 'device/type': 'MMC', 'device/name': 'eMMC' },
    },
    { folder: 'virtual/block/loop0', number: '7:0', files: { removable: '1' } },
    { folder: 'virtual/block/zram0', number: '253:0', files: { removable: '1' } },
  ])
  t.deepEqual(
    (await listRemovable(paths)).map(({ name, model, bus, sizeBytes }) => [name, model, bus, sizeBytes]),
    [
      ['mmcblk0', 'SD SC32G', 'card', 1 << 20],
      ['sdc', 'SanDisk Ultra', 'usb', 1 << 20],
    ],
  )
})

test('a model cannot steer a terminal', async (t) => {
  const paths = await makeKernel(t, [usb('sdb', '8:16', { files: { 'device/model': 'a\u001b[2J\u202eb' } })])
  t.is((await readDevice('8:16', paths))?.model, 'SanDisk a [2J b')
})

test('a drive has the serial number of its card or of its reader, not that of a hub', async (t) => {
  const paths = await makeKernel(t, [
    usb('sdb', '8:16', { files: { '../../../serial': '4C530001', '../../../idVendor': '0781' } }),
    {
      folder: 'pci0000:00/usb2/2-1/host1/block/sdc',
      number: '8:32',
      files: { '../../../idVendor': '0bda', '../../../../serial': '0000:00:14.0', '../../../../idVendor': '1d6b' },
    },
    { folder: 'platform/mmc_host/mmc0/mmc0:1/block/mmcblk0', number: '179:0', files: { '../../serial': '0x1234' } },
  ])
  const serials = await Promise.all(['8:16', '8:32', '179:0'].map((number) => readDevice(number, paths)))
  t.deepEqual(
    serials.map((device) => device?.serial),
    ['4C530001', '', '0x1234'],
  )
})

const image = { path: '/images/pub.img', sizeBytes: 1 << 20 }
const reasonOf = async (paths: KernelPaths, number: string): Promise<string | undefined> => {
  const device = await readDevice(number, paths)
  return device && refusalOf(device, image)?.reason
}

test('a free stick of the right size may be written', async (t) => {
  t.is(await reasonOf(await makeKernel(t, [usb('sdb', '8:16')]), '8:16'), undefined)
})

const parts = { sdb1: { number: '8:17' }, sdb2: { number: '8:18' } }
const line = (number: string, at: string, source = '/dev/x'): string =>
  `36 35 ${number} / ${at} rw,noatime master:1 - ext4 ${source} rw`

const refused: readonly [
  what: string,
  disks: readonly Made[],
  proc: { mounts?: string; swaps?: string },
  says: RegExp,
][] = [
  [
    'one with a partition that is mounted',
    [usb('sdb', '8:16', { partitions: parts })],
    { mounts: line('8:18', '/media/my\\040card') },
    /^is mounted at `\/media\/my card`$/,
  ],
  ['one that is mounted whole', [usb('sdb', '8:16')], { mounts: line('8:16', '/mnt') }, /^is mounted at `\/mnt`$/],
  [
    'the system',
    [usb('sdb', '8:16', { partitions: parts })],
    { mounts: `${line('8:17', '/boot/firmware')}\n${line('8:18', '/')}` },
    /^holds the running system/,
  ],
  [
    'part of a RAID that the system is on',
    [
      usb('sdb', '8:16', { partitions: { sdb1: { number: '8:17', holders: ['md0'] } } }),
      { folder: 'virtual/block/md0', number: '9:0', files: { 'md/level': 'raid1' } },
    ],
    { mounts: line('9:0', '/') },
    /^holds the running system/,
  ],
  [
    'part of a RAID',
    [
      usb('sdb', '8:16', { holders: ['md0'] }),
      { folder: 'virtual/block/md0', number: '9:0', files: { 'md/level': 'raid1' } },
    ],
    {},
    /^is part of `md0` \(a RAID \(raid1\)\)$/,
  ],
  [
    'part of LVM',
    [
      usb('sdb', '8:16', { partitions: { sdb1: { number: '8:17', holders: ['dm-0'] } } }),
      { folder: 'virtual/block/dm-0', number: '252:0', files: { 'dm/name': 'group-data', 'dm/uuid': 'LVM-abc' } },
    ],
    {},
    /^is part of `dm-0` \(the LVM volume group-data\)$/,
  ],
  ['a disk that is built in', [{ folder: 'pci0/ata1/block/sdb', number: '8:16' }], {}, /^is built into this machine$/],
  [
    'a mapped device',
    [{ folder: 'virtual/block/dm-0', number: '8:16', files: { removable: '1' } }],
    {},
    /^is a RAID or mapped/,
  ],
  ['a reader without a card', [usb('sdb', '8:16', { files: { size: '0' } })], {}, /^holds nothing/],
  ['one that is read-only', [usb('sdb', '8:16', { files: { ro: '1' } })], {}, /^cannot be written$/],
  [
    'one that is too small',
    [usb('sdb', '8:16', { files: { size: '2047' } })],
    {},
    /^is too small.*1048576 and 1048064/,
  ],
  [
    'one of large sectors',
    [usb('sdb', '8:16', { files: { 'queue/logical_block_size': '4096' } })],
    {},
    /^has sectors of 4096/,
  ],
]

for (const [what, disks, proc, says] of refused) {
  test(`refused: ${what}`, async (t) => {
    t.regex((await reasonOf(await makeKernel(t, disks, proc), '8:16')) ?? '', says)
  })
}

test('refused: a partition, naming its drive', async (t) => {
  const paths = await makeKernel(t, [usb('sdb', '8:16', { partitions: parts })])
  t.is(await reasonOf(paths, '8:18'), 'is a partition of `sdb`')
})

test('all refusals are said at once, in one error', async (t) => {
  const paths = await makeKernel(t, [usb('sdb', '8:16', { files: { ro: '1' } }), usb('sdc', '8:32')])
  const found = await Promise.all(['8:16', '8:32', '8:32'].map((number) => readDevice(number, paths)))
  const devices = found.filter((device): device is Device => device !== undefined)
  const error = t.throws(() => assertWritable(devices, image), { code: 'DEVICE_REFUSED' })
  t.is(error?.message, '2 of the drives may not be written.')
})

test('what is no block device is refused by name', async (t) => {
  const file = join(await scratch(t), 'card')
  await writeFile(file, '')
  await t.throwsAsync(findDevice(file), { message: /is no drive/, code: 'DEVICE_REFUSED' })
  await t.throwsAsync(findDevice(`${file}-2`), { message: /is not there/, code: 'DEVICE_REFUSED' })
})

test('another card in the same reader is another one', async (t) => {
  const before = await readDevice('8:16', await makeKernel(t, [usb('sdb', '8:16')]))
  const same = await readDevice('8:16', await makeKernel(t, [usb('sdb', '8:16')]))
  const other = await readDevice('8:16', await makeKernel(t, [usb('sdb', '8:16', { files: { diskseq: '8' } })]))
  if (!before) throw new Error('no device')
  t.true(isSameCard(before, same))
  t.false(isSameCard(before, other))
  t.false(isSameCard(before, undefined))
})

test('device numbers are taken apart as glibc does', (t) => {
  t.is(deviceNumber(0x0810), '8:16')
  t.is(deviceNumber(0x10305), '259:5')
  t.is(deviceNumber(0x1234_5678), '1110:74616')
})
