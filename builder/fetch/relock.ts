import { PibakeError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { Tools } from '../host/sandbox.ts'
import { allDebs } from '../lock/debs.ts'
import { diffLocks, formatChange, type LockChange } from '../lock/diff.ts'
import { type DebianRequest, requestDigest, staleLock, staleReasons } from '../lock/request.ts'
import type { DebianLock, Lock, LockedDeb, LockedIndex } from '../lock/schema.ts'
import { type DebianSource, fetchIndexes, readPackageTable, type SuiteIndex, timeOf } from './indexes.ts'
import { bringDebs } from './locked-debs.ts'
import { addArchives, type Mirrors } from './mirror.ts'
import { resolveSteps } from './resolve.ts'

/** What every fetch from Debian's archives needs. */
export interface FetchContext {
  source: DebianSource
  /** Asked only when something has to come over the network. */
  mirrors: () => Promise<Mirrors>
  /** What signatures and Valid-Until are held against. */
  now: Date
  /** Never lock anything anew: what does not fit or is gone is `LOCK_STALE`. */
  frozen?: boolean
  /** Lock anew although the lock fits: take what the mirror has today. */
  refresh?: boolean
  /** Take indexes whose Valid-Until has passed. */
  acceptExpired?: boolean
  emit: Emit
  signal?: AbortSignal
}

/** A lock that is whole in the cache, and what has changed in it. */
export interface Fetched<T> {
  lock: T
  changes: LockChange[]
}

/**
 * Bring everything a profile needs of Debian into the cache: what the lock says while it fits the request; otherwise,
 * or when the mirror has dropped a locked package, resolved anew with the difference told as notices. The caller writes
 * the lock. Throws `LOCK_STALE` when `frozen`, `RESOLVE_FAILED`, `SIGNATURE_INVALID`, `NETWORK`.
 */
export const fetchDebian = async (
  options: FetchContext & {
    profile: string
    request: DebianRequest
    lock: Lock | undefined
    /** Asked only when something has to be resolved. */
    tools: () => Promise<Tools>
    /** An existing folder for files that are needed meanwhile. */
    scratch: string
  },
): Promise<Fetched<DebianLock>> => {
  const { lock, request, profile, source, emit } = options
  const archives = async () => addArchives(await options.mirrors(), request.sources)
  const stale = staleReasons(lock, request)
  if (stale.length > 0 && options.frozen) throw staleLock(profile, stale)
  if (lock && stale.length === 0 && !options.refresh) {
    const gone = await bringDebs(allDebs(lock), { ...options, mirrors: archives, time: lock.time })
    if (gone.length === 0) return { lock, changes: [] }
    reportGone(gone, profile, options)
  }
  const { suite, architecture, steps, extras, status, packagesFrom, sources, foreignArchitectures } = request
  const foreign = foreignArchitectures ? { foreignArchitectures } : {}
  const mirrors = await archives()
  const indexes = await fetchIndexes({
    ...options,
    mirrors,
    suite,
    architecture,
    ...(packagesFrom ? { packagesFrom } : {}),
    ...(sources ? { sources } : {}),
    ...foreign,
  })
  const table = await readPackageTable(indexes, source.blobPath)
  const resolved = await resolveSteps({
    tools: await options.tools(),
    indexes,
    table,
    blobPath: source.blobPath,
    architecture,
    ...foreign,
    steps,
    extras,
    ...(status === undefined ? {} : { status }),
    scratch: options.scratch,
    emit,
    ...(options.signal ? { signal: options.signal } : {}),
  })
  const time = timeOf(indexes)
  const fresh = {
    suite,
    architecture,
    request: requestDigest(request),
    time,
    indexes: indexes.map(toLockedIndex),
    ...resolved,
  }
  const missing = await bringDebs(allDebs(fresh), { ...options, mirrors: archives, time })
  if (missing.length > 0) throw lacking(missing)
  const changes = lock ? diffLocks({ ...lock, npm: {}, artifacts: {} }, fresh) : []
  reportChanges(profile, changes, emit)
  return { lock: fresh, changes }
}

/** An index as a lock names it. */
export const toLockedIndex = ({ release }: SuiteIndex): LockedIndex => ({
  archive: release.archive,
  suite: release.name,
  date: release.date.toISOString(),
  sha256: release.sha256,
})

/** Say which locked packages no mirror has any more; throws `LOCK_STALE` with all of them when `frozen`. */
export const reportGone = (
  gone: readonly LockedDeb[],
  name: string,
  { frozen, emit }: Pick<FetchContext, 'frozen' | 'emit'>,
): void => {
  const lines = gone.map(({ path }) => path)
  if (frozen)
    throw staleLock(
      name,
      lines.map((path) => `the mirror no longer has ${path}`),
    )
  const message = `The mirror no longer has ${gone.length} locked packages; locking anew: ${lines.join(', ')}`
  emit({ type: 'notice', level: 'warn', message })
}

/** Tell each change of a lock as a notice. */
export const reportChanges = (name: string, changes: readonly LockChange[], emit: Emit): void => {
  if (changes.length === 0) return
  emit({ type: 'notice', level: 'info', message: `The lock of \`${name}\` has ${changes.length} changes.` })
  for (const change of changes) emit({ type: 'notice', level: 'info', message: formatChange(change) })
}

/** The error for packages that the mirror's own index lists and the mirror lacks. */
export const lacking = (missing: readonly LockedDeb[]): PibakeError =>
  new PibakeError('NETWORK', `The mirror lacks ${missing.length} packages that its own index lists.`, {
    hint: 'The mirror is probably being updated: try again in some minutes, or name another one with `--mirror`.',
    details: missing.map(({ path }) => path),
  })
