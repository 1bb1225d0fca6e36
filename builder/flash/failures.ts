import { errnoOf, PibakeError } from '../core/error.ts'
import { formatBytes } from '../core/size.ts'
import { type Device, isSameCard, readDevice } from './device.ts'

const failed = (sentence: string, hint: string, cause?: unknown): PibakeError =>
  new PibakeError('FLASH_FAILED', sentence, { hint, ...(cause === undefined ? {} : { cause }) })

/** A drive that loses or moves what is written to it. */
export const fakeCapacity = ({ path, sizeBytes }: Device, position: number): PibakeError =>
  failed(
    `\`${path}\` does not hold the ${formatBytes(sizeBytes)} that it says: what was written at byte ${position} is gone.`,
    'Such cards are sold as larger than they are, or are broken. Do not use it.',
  )

export const differsOnReading = ({ path }: Device, startBytes: number): PibakeError =>
  failed(
    `\`${path}\` gives back other bytes than were written, in the part that begins at byte ${startBytes}.`,
    'Try another reader, cable or port first; if it happens again, the card is broken.',
  )

const isGone = async (device: Device): Promise<boolean> => {
  const now = await readDevice(device.number)
  // A loop device stays when what is behind it goes.
  return !isSameCard(device, now)
}

/** What a user is told of an error that a drive failed with while `doing`; a PibakeError stays what it is. */
export const explainTarget = async (error: unknown, device: Device, doing: string): Promise<unknown> => {
  if (error instanceof PibakeError) return error
  const errno = errnoOf(error)
  if (errno === undefined) return error
  const { path } = device
  if ((await isGone(device)) || errno === 'ENODEV' || errno === 'ENXIO' || errno === 'ENOMEDIUM') {
    return failed(
      `\`${path}\` went away while ${doing}.`,
      'Was it pulled out? Put it in again, and flash it again.',
      error,
    )
  }
  if (errno === 'ETIMEDOUT') {
    return failed(`\`${path}\` gave no answer while ${doing}.`, 'Try another reader or port, or another card.', error)
  }
  if (errno === 'ENOSPC') {
    return failed(`\`${path}\` ended while ${doing}: it is too small.`, 'Take a larger card.', error)
  }
  return failed(
    `\`${path}\` failed while ${doing} (${errno}).`,
    'The card or its reader is broken; try another one.',
    error,
  )
}
