import type { DebianLock, Lock, LockedDeb } from './schema.ts'

/** One difference between two locks. */
export interface LockChange {
  kind: 'debian' | 'extra' | 'npm' | 'artifact'
  /** The step or stage it belongs to; empty for extras. */
  step: string
  name: string
  /** Version before, or undefined when it is new. Artifacts have the first digits of their digest. */
  from: string | undefined
  /** Version after, or undefined when it is gone. */
  to: string | undefined
}

type Comparable = DebianLock & Partial<Pick<Lock, 'npm' | 'artifacts'>>
type Versions = Map<string, Omit<LockChange, 'from' | 'to'> & { version: string; digest: string }>

/** What has changed from one lock to another, in the order of the steps; equal locks give no rows. */
export const diffLocks = (before: Comparable, after: Comparable): LockChange[] => {
  const old = versionsOf(before)
  const changes: LockChange[] = []
  const latest = versionsOf(after)
  for (const [key, { version, digest, ...item }] of latest) {
    const previous = old.get(key)
    if (previous?.version === version && previous.digest === digest) continue
    const isRebuilt = previous?.version === version
    changes.push({
      ...item,
      from: isRebuilt ? `${previous.version} (${previous.digest.slice(0, 8)})` : previous?.version,
      to: isRebuilt ? `${version} (${digest.slice(0, 8)})` : version,
    })
  }
  for (const [key, { version, digest: _, ...item }] of old) {
    if (!latest.has(key)) changes.push({ ...item, from: version, to: undefined })
  }
  return changes
}

const versionsOf = (lock: Comparable): Versions => {
  const versions: Versions = new Map()
  const add = (kind: LockChange['kind'], step: string, name: string, version: string, digest: string, place = name) =>
    versions.set(`${kind} ${step} ${place}`, { kind, step, name, version, digest })
  const addDeb = (kind: 'debian' | 'extra', step: string, { name, version, sha256 }: LockedDeb) =>
    add(kind, step, name, version, sha256)
  for (const { name: step, debs } of lock.steps) for (const deb of debs) addDeb('debian', step, deb)
  for (const deb of lock.extras) addDeb('extra', '', deb)
  for (const [step, items] of Object.entries(lock.npm ?? {})) {
    for (const { name, version, sha256, path } of items) add('npm', step, name, version, sha256, path)
  }
  for (const [step, items] of Object.entries(lock.artifacts ?? {})) {
    for (const { name, sha256 } of items) add('artifact', step, name, sha256.slice(0, 12), sha256)
  }
  return versions
}

/** A change as one line for people: `base: nginx 1.26.3-3 -> 1.26.3-3+deb13u1`. */
export const formatChange = ({ kind, step, name, from, to }: LockChange): string => {
  const place = kind === 'extra' ? 'extras' : kind === 'debian' ? step : `${step} (${kind})`
  return `${place}: ${name} ${from ?? '(new)'} -> ${to ?? '(gone)'}`
}
