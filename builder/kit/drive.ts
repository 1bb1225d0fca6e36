import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, PibakeError } from '../core/error.ts'
import { type Device, isSameCard, readDevice } from '../flash/device.ts'
import { type Mount, mountDrive } from '../host/mount.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import { encodeGpt, gptEndBytes, gptTypes } from '../image/encode-gpt.ts'

/** Where the one partition begins, and to what its end is rounded down: the blocks that sticks erase are no larger. */
const alignBytes = 4 << 20

/** Label of the file system: what desktops show, and what they name the folder after. */
const label = 'PIBAKE'

const cannotOpen = (path: string, cause: unknown): PibakeError =>
  new PibakeError('DEVICE_REFUSED', `\`${path}\` cannot be opened for writing (${errnoOf(cause) ?? String(cause)}).`, {
    hint: 'Something may have it mounted or open. Unmount it, or take the stick out and in again.',
    cause,
  })

const changed = (path: string): PibakeError =>
  new PibakeError('DEVICE_REFUSED', `\`${path}\` is no longer the stick that it was.`, {
    hint: 'It was changed meanwhile. Run the same command again.',
  })

/** Where the partition of a drive is. */
export const placeOn = ({ sizeBytes }: Pick<Device, 'sizeBytes'>): { offsetBytes: number; sizeBytes: number } => {
  const end = Math.floor((sizeBytes - gptEndBytes) / alignBytes) * alignBytes
  return { offsetBytes: alignBytes, sizeBytes: end - alignBytes }
}

/**
 * Write a GUID partition table with one Linux partition, and empty what was before it and at its beginning. The drive is
 * open for this process alone meanwhile. Throws `DEVICE_REFUSED`.
 */
const partition = async (device: Device): Promise<void> => {
  const { path, number, sizeBytes } = device
  const flags = constants.O_RDWR | constants.O_EXCL
  const handle = await open(path, flags).catch((cause: unknown) => {
    throw cannotOpen(path, cause)
  })
  try {
    if (!isSameCard(device, await readDevice(number))) throw changed(path)
    const place = placeOn(device)
    const partitions = [
      {
        startSector: place.offsetBytes / 512,
        sectors: place.sizeBytes / 512,
        typeGuid: gptTypes.linux,
        guid: randomUUID(),
        name: label,
      },
    ]
    const { start, end } = encodeGpt({ diskGuid: randomUUID(), partitions }, sizeBytes)
    const empty = Buffer.alloc(alignBytes + (1 << 20))
    start.copy(empty)
    await handle.write(empty, 0, empty.length, 0)
    await handle.write(end, 0, end.length, sizeBytes - gptEndBytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Give a drive a partition table and an ext4 file system, everything on it lost, and mount that below `scratch`; it is
 * unmounted when it is disposed. In a mount namespace of pibake's own, as root. Throws `DEVICE_REFUSED`.
 */
export const prepareDrive = async (
  device: Device,
  { tools, scratch, signal }: { tools: Tools; scratch: string; signal: AbortSignal },
): Promise<Mount> => {
  await partition(device)
  const { path, name } = device
  const place = placeOn(device)
  const settings = [
    // Files are many and small, but not as many as mke2fs makes room for on a large drive.
    ...['-t', 'ext4', '-q', '-F', '-L', label, '-m', '0', '-i', '65536'],
    ...['-E', `offset=${place.offsetBytes},root_owner=0:0,discard`],
  ]
  await runTool(tools, ['mke2fs', ...settings, path, `${place.sizeBytes / 1024}k`], { devices: [path], signal })
  return mountDrive(tools, path, place, join(scratch, name.replaceAll('!', '-')))
}
