import type { Device } from '../flash/device.ts'
import type { Tools } from '../host/sandbox.ts'
import { prepareDrive } from './drive.ts'

/** Something that a kit is written to. */
export interface StickTarget {
  /** What people call it: the folder, or the drive. */
  name: string
  /** Make it ready for files; released when it is disposed. */
  open(): Promise<{ path: string } & AsyncDisposable>
}

/** A folder, made when it is not there. */
export const folderTarget = (folder: string): StickTarget => ({
  name: folder,
  open: async () => ({ path: folder, [Symbol.asyncDispose]: async () => undefined }),
})

/** A whole drive, which loses everything on it: see `prepareDrive`. */
export const driveTarget = (
  device: Device,
  options: { tools: Tools; scratch: string; signal: AbortSignal },
): StickTarget => ({
  name: device.path,
  open: () => prepareDrive(device, options),
})
