import { errnoOf, PibakeError } from './error.ts'

const full: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT'])
const forbidden: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM', 'EROFS', 'EISDIR', 'ENOTDIR', 'EEXIST'])

/** What a user is told when `path` cannot be written: `DISK_FULL` or `USAGE`; anything else stays as it is. */
export const explainWrite = (cause: unknown, path: string): unknown => {
  const errno = errnoOf(cause)
  if (full.has(errno)) {
    const hint = 'Free some space, then run the same command again.'
    return new PibakeError('DISK_FULL', `The disk is full: \`${path}\` could not be written.`, { hint, cause })
  }
  if (!forbidden.has(errno)) return cause
  const hint = 'See that the path is right, and whose its folder is; then run the same command again.'
  return new PibakeError('USAGE', `\`${path}\` cannot be written (${errno}).`, { hint, cause })
}
