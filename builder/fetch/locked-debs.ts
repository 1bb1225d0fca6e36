import type { LockedDeb } from '../lock/schema.ts'
import type { DebianSource } from './indexes.ts'
import type { Mirrors } from './mirror.ts'

const hourMs = 3_600_000

/** Folder names of Debian's archives at a snapshot service: `<base>/<folder>/<time>/<path>`. */
const snapshotFolders: Readonly<Record<string, string>> = { main: 'debian', security: 'debian-security' }

/** A moment as snapshot services spell it: `20260912T075541Z`. They answer with their newest state before it. */
export const snapshotStamp = (timeMs: number): string => new Date(timeMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')

/** All addresses that may have a locked package: its mirror, then the snapshot service around the time of the lock. */
export const debUrls = (deb: LockedDeb, mirrors: Mirrors, time: string): string[] => {
  const { main, security } = mirrors
  const mirror = { ...mirrors.others, main, security }[deb.archive]
  const folder = snapshotFolders[deb.archive]
  const { snapshot } = mirrors
  const lockedAt = Date.parse(time)
  const moments = snapshot === undefined || folder === undefined ? [] : [lockedAt + 12 * hourMs, lockedAt]
  return [
    ...(mirror === undefined ? [] : [`${mirror}/${deb.path}`]),
    ...moments.map((ms) => `${snapshot}/${folder}/${snapshotStamp(ms)}/${deb.path}`),
  ]
}

/**
 * Bring locked packages into the cache. Asks for the mirrors only when something is missing, so a full cache needs
 * none. Returns the packages that no address has any more.
 */
export const bringDebs = async (
  debs: readonly LockedDeb[],
  options: { source: DebianSource; mirrors: () => Promise<Mirrors>; time: string },
): Promise<LockedDeb[]> => {
  const { source, time } = options
  const absent: LockedDeb[] = []
  for (const deb of new Map(debs.map((deb) => [deb.sha256, deb])).values()) {
    if (!(await source.has(deb.sha256))) absent.push(deb)
  }
  if (absent.length === 0) return []
  const mirrors = await options.mirrors()
  const missing = await source.bring(
    absent.map((deb) => ({
      label: `${deb.name} ${deb.version}`,
      urls: debUrls(deb, mirrors, time),
      sizeBytes: deb.sizeBytes,
      sha256: deb.sha256,
    })),
  )
  const lost = new Set(missing.map(({ sha256 }) => sha256))
  return absent.filter(({ sha256 }) => lost.has(sha256))
}
