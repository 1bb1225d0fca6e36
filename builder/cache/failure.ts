import { errnoOf, PibakeError } from '../core/error.ts'

/** What a user sees who stopped the work. */
export const interrupted = (): PibakeError =>
  new PibakeError('INTERRUPTED', 'Interrupted.', { hint: 'Run the same command again to go on where it stopped.' })

/** ENOSPC or EDQUOT: no room on the file system, or none left for this user. */
const isDiskFull = (error: unknown): boolean => errnoOf(error) === 'ENOSPC' || errnoOf(error) === 'EDQUOT'

/**
 * Turn what a write or a read into the cache threw into what the user is told: `DISK_FULL` naming `label`,
 * `INTERRUPTED` when `signal` fired, else the error as it is.
 */
export const explainFailure = (error: unknown, label: string, signal?: AbortSignal): unknown => {
  if (error instanceof PibakeError) return error
  if (signal?.aborted) return interrupted()
  if (!isDiskFull(error)) return error
  return new PibakeError('DISK_FULL', `The disk is full: \`${label}\` could not be written to the cache.`, {
    hint: 'Free some space (`pibake cache prune` drops what no lock needs), then run the same command again.',
    cause: error,
  })
}
