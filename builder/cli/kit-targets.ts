import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf } from '../core/error.ts'
import { readContent } from '../flash/content.ts'
import { type Device, findDevice } from '../flash/device.ts'
import { assertWritable } from '../flash/guard.ts'
import { driveTarget, folderTarget, type StickTarget } from '../kit/target.ts'
import { plainly } from '../report/style.ts'
import { openTools, requireRoot } from './chosen.ts'
import { confirmByName } from './confirm.ts'
import type { Context } from './context.ts'
import { renderDevices } from './flash-report.ts'

const isDrive = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isBlockDevice()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}

/** Where sticks are mounted on most systems. */
const mountPlaces = /^\/(?:(?:run\/)?media|mnt)\/./

/** The device number of a folder or, where it is not there yet, of what it would lie in. */
const deviceOf = async (path: string): Promise<number> => {
  try {
    return (await stat(path)).dev
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    return deviceOf(dirname(path))
  }
}

/** A folder for sticks on the disk of the system itself: most likely nothing is mounted there. */
const isUnmounted = async (folder: string): Promise<boolean> =>
  mountPlaces.test(folder) && (await deviceOf(folder)) === (await deviceOf('/'))

/** What a kit is written to, once all drives among them were looked at and the person has said yes. */
export interface ChosenTargets {
  folders: string[]
  drives: Device[]
}

/**
 * Look at what was named, folders and drives; a folder where a stick should be mounted and is not is warned of. Throws `DEVICE_REFUSED` when a drive may not be written; asks by name before
 * drives lose what is on them.
 */
export const chooseTargets = async (paths: readonly string[], context: Context): Promise<ChosenTargets> => {
  const chosen: ChosenTargets = { folders: [], drives: [] }
  for (const path of paths) {
    if (await isDrive(path)) chosen.drives.push(await findDevice(path))
    else chosen.folders.push(path)
  }
  for (const folder of chosen.folders) {
    if (!(await isUnmounted(folder))) continue
    const message = `\`${folder}\` is on the disk of this machine. Is the stick mounted there?`
    context.emit({ type: 'notice', level: 'warn', message })
  }
  const { drives } = chosen
  if (drives.length === 0) return chosen
  requireRoot('Writing a drive')
  assertWritable(drives, { path: '', sizeBytes: undefined })
  if (context.options.yes) return chosen
  const listed = await Promise.all(
    drives.map(async (device) => ({ device, contents: await readContent(device.path), refusal: undefined })),
  )
  const names = drives.map(({ name }) => name)
  await confirmByName(['The kit goes to:', ...renderDevices(listed, plainly)], names, context)
  return chosen
}

/** The targets, ready to be opened; drives are mounted below `scratch`. */
export const openTargets = async (
  { folders, drives }: ChosenTargets,
  { scratch, context }: { scratch: string; context: Context },
): Promise<StickTarget[]> => {
  const { signal } = context
  if (drives.length === 0) return folders.map(folderTarget)
  const tools = await openTools(context)
  return [...folders.map(folderTarget), ...drives.map((device) => driveTarget(device, { tools, scratch, signal }))]
}
