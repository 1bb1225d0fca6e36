/** Stable names of everything a user can run into; documented in docs/troubleshooting.md. */
export type ErrorCode =
  | 'USAGE'
  | 'NOT_ROOT'
  | 'HOST_UNSUPPORTED'
  | 'CONFIG_INVALID'
  | 'UNKNOWN_NAME'
  | 'MISSING_OFFLINE'
  | 'NETWORK'
  | 'DOWNLOAD_CORRUPT'
  | 'SIGNATURE_INVALID'
  | 'LOCK_INVALID'
  | 'LOCK_STALE'
  | 'RESOLVE_FAILED'
  | 'CACHE_CORRUPT'
  | 'ARTIFACT_UNPINNED'
  | 'IMAGE_INVALID'
  | 'IMAGE_DIFFERS'
  | 'BUNDLE_INVALID'
  | 'BUNDLE_DIFFERS'
  | 'LINT_FAILED'
  | 'STAGE_FAILED'
  | 'STAGE_CHANGED'
  | 'COMMAND_FAILED'
  | 'DISK_FULL'
  | 'BOOT_FAILED'
  | 'CHECKS_FAILED'
  | 'KIT_INVALID'
  | 'KIT_FAILED'
  | 'DEVICE_REFUSED'
  | 'FLASH_FAILED'
  | 'BUSY'
  | 'INTERRUPTED'

/** Codes that mean wrong use or bad input (exit 2); every other failure exits 1, an interruption 130. */
const inputCodes: ReadonlySet<ErrorCode> = new Set([
  'USAGE',
  'NOT_ROOT',
  'CONFIG_INVALID',
  'UNKNOWN_NAME',
  'LOCK_INVALID',
  'ARTIFACT_UNPINNED',
  'IMAGE_INVALID',
  'BUNDLE_INVALID',
  'BUNDLE_DIFFERS',
  'DEVICE_REFUSED',
])

/** A failure that a user can cause and mend: one sentence naming the offender, and a hint that says what to do. */
export class PibakeError extends Error {
  readonly code: ErrorCode
  readonly hint: string
  /** Further lines for the terminal: the missing items, the tail of a command's output, the schema issues. */
  readonly details: readonly string[]

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint: string; details?: readonly string[]; cause?: unknown },
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'PibakeError'
    this.code = code
    this.hint = options.hint
    this.details = options.details ?? []
  }
}

/** The process exit code for anything thrown: 1 failed work, 2 wrong use or bad input, 130 interrupted. */
export const exitCodeOf = (error: unknown): number => {
  if (!(error instanceof PibakeError)) return 1
  if (error.code === 'INTERRUPTED') return 130
  return inputCodes.has(error.code) ? 2 : 1
}

/** The errno name (`ENOENT`, `ENOSPC` …) of a Node system error, or undefined. */
export const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
