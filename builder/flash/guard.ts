import { PibakeError } from '../core/error.ts'
import { formatBytes } from '../core/size.ts'
import type { Device } from './device.ts'
import type { Use } from './uses.ts'

/** What is about to be written; undefined where only writing tells how large it is. */
interface Wanted {
  sizeBytes: number | undefined
  /** Absolute path of the image, or of the archive that it comes from. */
  path: string
}

interface Refusal {
  /** Goes on a sentence that begins with the device. */
  reason: string
  hint: string
}

/** Mount points of a running system; a card that a desktop has mounted is in none of them. */
const isSystem = ({ at }: { at: string }): boolean => /^\/(?:(?:boot|usr|var|home|etc|opt|nix)(?:\/|$)|$)/.test(at)

const refuseUse = (use: Use, uses: readonly Use[]): Refusal => {
  const mounts = uses.filter((item) => item.kind === 'mounted')
  const system = mounts.find(isSystem)
  if (system) {
    return {
      reason: `holds the running system (\`${system.at}\`)`,
      hint: 'Name another drive; this one is never written.',
    }
  }
  switch (use.kind) {
    case 'mounted':
      return { reason: `is mounted at \`${use.at}\``, hint: `Unmount it first: \`umount ${use.at}\`.` }
    case 'swap':
      return {
        reason: `is in use as swap (\`${use.name}\`)`,
        hint: `If it can be spared: \`swapoff /dev/${use.name}\`.`,
      }
    case 'held':
      return {
        reason: `is part of \`${use.by}\` (${use.title})`,
        hint: 'Name another drive, or take that apart first with the tools that put it together.',
      }
  }
}

const otherDrive = 'Name a card or stick; `pibake flash` lists them.'

/** Why a device may not be written; undefined when it may. */
export const refusalOf = (device: Device, image: Wanted): Refusal | undefined => {
  const { name, partOf, bus, uses, sizeBytes, sectorBytes } = device
  if (partOf !== undefined) {
    return { reason: `is a partition of \`${partOf}\``, hint: `Name the whole drive: \`/dev/${partOf}\`.` }
  }
  const [use] = uses
  if (use) return refuseUse(use, uses)
  if (/^(?:dm-|md)\d/.test(name)) return { reason: 'is a RAID or mapped device', hint: otherDrive }
  if (!device.isRemovable && bus !== 'loop') return { reason: 'is built into this machine', hint: otherDrive }
  if (sizeBytes === 0) return { reason: 'holds nothing: no card is in it', hint: 'Put one in, and try again.' }
  if (device.isReadOnly) {
    return { reason: 'cannot be written', hint: 'A card of full size has a small slider for that at its side.' }
  }
  if (device.backingFile === image.path) return { reason: 'is the image itself', hint: otherDrive }
  if (sectorBytes !== 512) {
    const hint = 'Partition tables of images count sectors of 512 bytes; nothing would start from it.'
    return { reason: `has sectors of ${sectorBytes} bytes`, hint }
  }
  if (image.sizeBytes !== undefined && image.sizeBytes > sizeBytes) {
    const [needed, has] = [formatBytes(image.sizeBytes), formatBytes(sizeBytes)]
    const exactly = needed === has ? ` (${image.sizeBytes} and ${sizeBytes} bytes)` : ''
    return { reason: `is too small: the image has ${needed}, it holds ${has}${exactly}`, hint: 'Take a larger card.' }
  }
  return undefined
}

/** Throws `DEVICE_REFUSED` when any of the devices may not be written, or is named twice. All reasons are in it. */
export const assertWritable = (devices: readonly Device[], image: Wanted): void => {
  const refusals = devices.flatMap((device, index) => {
    const isTwice = devices.findIndex(({ number }) => number === device.number) < index
    const twice: Refusal = { reason: 'is named twice', hint: 'Name each drive once.' }
    const refusal = isTwice ? twice : refusalOf(device, image)
    return refusal ? [{ sentence: `\`${device.path}\` ${refusal.reason}.`, hint: refusal.hint }] : []
  })
  const [first] = refusals
  if (!first) return
  const sentences = refusals.map(({ sentence }) => sentence)
  throw refusals.length === 1
    ? new PibakeError('DEVICE_REFUSED', first.sentence, { hint: first.hint })
    : new PibakeError('DEVICE_REFUSED', `${refusals.length} of the drives may not be written.`, {
        hint: 'Nothing was written to any. Leave these out.',
        details: sentences,
      })
}
