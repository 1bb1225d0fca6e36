import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { errnoOf, PibakeError } from '../core/error.ts'
import { deviceNumber, type KernelPaths, kernelPaths, readWord } from './kernel.ts'
import { readUses, type Use } from './uses.ts'

/** A block device as sysfs and /proc describe it at one moment. */
export interface Device {
  /** As the kernel calls it: `sdb`, `mmcblk0`. */
  name: string
  path: string
  /** `major:minor`. */
  number: string
  /** 0 for a reader without a card in it. */
  sizeBytes: number
  /** What it is addressed in; cards have 512. */
  sectorBytes: number
  /** Maker and model, where the device says. */
  model: string
  /** What its maker numbered it with, or its reader; empty where nothing says so. */
  serial: string
  bus: 'usb' | 'card' | 'loop' | 'other'
  /** Whether it can be taken out: a USB device, an SD card, or one that says so of itself. */
  isRemovable: boolean
  isReadOnly: boolean
  /** Counts the disks that this machine has seen (`diskseq`): another card in the same reader has another one. */
  sequence: string
  /** The whole disk, where this is only a partition of it. */
  partOf: string | undefined
  /** The file behind a loop device. */
  backingFile: string | undefined
  uses: readonly Use[]
}

const busOf = (name: string, folder: string, cardType: string): Device['bus'] => {
  if (/^loop\d/.test(name)) return 'loop'
  if (/\/usb\d+\//.test(folder)) return 'usb'
  return cardType === 'SD' ? 'card' : 'other'
}

/** Text that a device says of itself, without what could steer a terminal. */
const clean = (text: string): string =>
  text
    .replaceAll(/[\p{C}]/gu, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()

const modelOf = async (folder: string, cardType: string): Promise<string> => {
  const words = await Promise.all(['vendor', 'model', 'name'].map((file) => readWord(join(folder, 'device', file))))
  // A vendor such as `0x1af4` is a number of a bus, no name.
  const named = words.filter((word) => !/^(?:0x[0-9a-f]+)?$/.test(word))
  return clean([cardType, ...named].join(' '))
}

/** The serial number that the drive has, or else whatever it is plugged into: a card reader on USB. */
const serialOf = async (folder: string, { sys }: KernelPaths): Promise<string> => {
  for (let place = folder; place.startsWith(join(sys, 'devices')); place = dirname(place)) {
    const serial = clean(await readWord(join(place, 'serial')))
    // What is above the drive's own USB device are hubs, whose numbers say nothing of it.
    if (serial !== '' || (await readWord(join(place, 'idVendor'))) !== '') return serial
  }
  return ''
}

/** What the kernel says of the device `number`; undefined when there is none. */
export const readDevice = async (number: string, paths: KernelPaths = kernelPaths): Promise<Device | undefined> => {
  const folder = await realpath(join(paths.sys, 'dev/block', number)).catch(() => undefined)
  if (folder === undefined) return undefined
  const name = basename(folder)
  const isPart = (await readWord(join(folder, 'partition'))) !== ''
  const cardType = clean(await readWord(join(folder, 'device/type'))).replace(/^\d+$/, '')
  const bus = busOf(name, folder, cardType)
  const backingFile = await readWord(join(folder, 'loop/backing_file'))
  return {
    name,
    path: join(paths.dev, name.replaceAll('!', '/')),
    number,
    sizeBytes: Number(await readWord(join(folder, 'size'))) * 512,
    sectorBytes: Number(await readWord(join(folder, 'queue/logical_block_size'))) || 512,
    model: bus === 'loop' ? `loop device on ${clean(backingFile) || 'no file'}` : await modelOf(folder, cardType),
    serial: bus === 'loop' ? '' : await serialOf(folder, paths),
    bus,
    isRemovable:
      bus === 'usb' || bus === 'card' || (bus === 'other' && (await readWord(join(folder, 'removable'))) === '1'),
    isReadOnly: (await readWord(join(folder, 'ro'))) === '1',
    sequence: await readWord(join(folder, 'diskseq')),
    partOf: isPart ? basename(join(folder, '..')) : undefined,
    backingFile: backingFile === '' ? undefined : backingFile,
    uses: await readUses(folder, paths),
  }
}

const notThere = (path: string, cause?: unknown): PibakeError =>
  new PibakeError('DEVICE_REFUSED', `\`${path}\` is not there.`, {
    hint: 'Is the card in? `pibake flash` lists the drives that can be written.',
    cause,
  })

/** The block device at `path`, which may be a link such as those in /dev/disk/by-id. Throws `DEVICE_REFUSED`. */
export const findDevice = async (path: string, paths: KernelPaths = kernelPaths): Promise<Device> => {
  const status = await stat(path).catch((cause: unknown) => {
    throw errnoOf(cause) === 'ENOENT' ? notThere(path, cause) : cause
  })
  if (!status.isBlockDevice()) {
    throw new PibakeError('DEVICE_REFUSED', `\`${path}\` is no drive.`, {
      hint: 'Name a block device such as `/dev/sdb`; `pibake flash` lists the drives that can be written.',
    })
  }
  const device = await readDevice(deviceNumber(status.rdev), paths)
  if (!device) throw notThere(path)
  return device
}

const neverCards = /^(?:loop|ram|zram|dm-|md|sr|fd|nbd)\d*/

/** Drives that can be taken out and hold something to write on, by name. Loop devices are never among them. */
export const listRemovable = async (paths: KernelPaths = kernelPaths): Promise<Device[]> => {
  const names = (await readdir(join(paths.sys, 'block')).catch(() => [])).filter((name) => !neverCards.test(name))
  const devices = await Promise.all(
    names.map(async (name) => readDevice(await readWord(join(paths.sys, 'block', name, 'dev')), paths)),
  )
  return devices
    .filter((device): device is Device => device?.isRemovable === true && device.sizeBytes > 0)
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
}

/** Whether the card that was looked at is still there, and the same. */
export const isSameCard = (before: Device, now: Device | undefined): boolean =>
  now?.sequence === before.sequence && now.sizeBytes === before.sizeBytes && now.name === before.name
