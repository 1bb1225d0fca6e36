import { hashJson, type Sha256 } from '../core/digest.ts'
import { firstPackages } from '../host/tools-packages.ts'
import { diffLocks } from '../lock/diff.ts'
import { staleLock } from '../lock/request.ts'
import type { ToolsLock } from '../lock/schema.ts'
import { fetchIndexes, readPackageTable, timeOf } from './indexes.ts'
import { bringDebs } from './locked-debs.ts'
import { type FetchContext, type Fetched, lacking, reportChanges, reportGone, toLockedIndex } from './relock.ts'
import { walkDependencies } from './walk.ts'

/** Which tools tree is wanted. */
export interface ToolsRequest {
  suite: string
  /** Debian's name of the host's architecture. */
  architecture: string
  /** `toolPackages`, or `twinPackages` for the suite of a target that differs from the tools'. */
  packages: readonly string[]
}

/** Digest of a request for a tools tree. */
export const toolsRequestDigest = ({ suite, architecture, packages }: ToolsRequest): Sha256 =>
  hashJson({ suite, architecture, packages: [...packages].sort() })

/**
 * Bring the packages of a tools tree into the cache, by its lock while that fits, otherwise locked anew. Needs no tools:
 * dependencies are walked without apt. The caller writes the lock. Throws as `fetchDebian` does.
 */
export const fetchTools = async (
  options: FetchContext & { request: ToolsRequest; lock: ToolsLock | undefined },
): Promise<Fetched<ToolsLock>> => {
  const { lock, request, source, emit } = options
  const { suite, architecture } = request
  const name = `tools-${suite}-${architecture}`
  const digest = toolsRequestDigest(request)
  if (options.frozen && lock?.request !== digest) {
    throw staleLock(name, [lock ? 'the list of tools has changed' : 'nothing has been locked yet'])
  }
  if (lock?.request === digest && !options.refresh) {
    const gone = await bringDebs(lock.debs, { ...options, time: lock.time })
    if (gone.length === 0) return { lock, changes: [] }
    reportGone(gone, name, options)
  }
  const indexes = await fetchIndexes({ ...options, mirrors: await options.mirrors(), suite, architecture })
  const table = await readPackageTable(indexes, source.blobPath)
  const debs = walkDependencies(table, request.packages).map(
    ({ isEssential: _essential, priority: _priority, stanza: _stanza, ...deb }) => deb,
  )
  const names = new Set(debs.map((deb) => deb.name))
  const first = firstPackages.every((item) => names.has(item)) ? walkDependencies(table, firstPackages) : []
  const time = timeOf(indexes)
  const fresh: ToolsLock = {
    version: 1,
    suite,
    architecture,
    request: digest,
    time,
    indexes: indexes.map(toLockedIndex),
    first: first.map((deb) => deb.name),
    debs,
  }
  const missing = await bringDebs(debs, { ...options, time })
  if (missing.length > 0) throw lacking(missing)
  const changes = lock ? diffLocks(asSteps(lock), asSteps(fresh)) : []
  reportChanges(name, changes, emit)
  return { lock: fresh, changes }
}

const asSteps = (lock: ToolsLock) => ({ ...lock, steps: [{ name: 'tools', debs: lock.debs }], extras: [] })
