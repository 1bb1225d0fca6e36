import { readText } from './content.ts'
import { resolveEntry } from './links.ts'
import type { Volume } from './volume.ts'

/** What a root file system says of itself. */
export interface SystemFacts {
  /** `PRETTY_NAME` of os-release(5): `Debian GNU/Linux 13 (trixie)`. */
  name: string
  hostname: string
  /** Debian's name of it: `arm64`. */
  architecture: string
  /** Versions that have modules. */
  kernels: string[]
}

/** A unit that systemd starts by itself. */
export interface Service {
  name: string
  description: string
  /** The path of its unit file, links followed. */
  path: string
}

/** Names directly below a folder. */
const namesIn = (volume: Volume, folder: string): string[] =>
  [...volume.entries.keys()]
    .filter((path) => path.startsWith(`${folder}/`) && !path.includes('/', folder.length + 1))
    .map((path) => path.slice(folder.length + 1))

/** The value of the last `key=value` line of that key, without its quotes. */
const settingOf = (text: string | undefined, key: string): string | undefined =>
  text
    ?.split('\n')
    .findLast((line) => line.startsWith(`${key}=`))
    ?.slice(key.length + 1)
    .trim()
    .replace(/^(["'])(.*)\1$/, '$2')

/** Name, host name and kernels of a root file system; `architecture` is that of its package dpkg. */
export const readSystem = (volume: Volume, architecture: string | undefined): SystemFacts => ({
  name: settingOf(readText(volume, '/etc/os-release'), 'PRETTY_NAME') ?? 'unknown',
  hostname: readText(volume, '/etc/hostname')?.trim() ?? '',
  architecture: architecture ?? 'unknown',
  kernels: [...namesIn(volume, '/usr/lib/modules'), ...namesIn(volume, '/lib/modules')].sort(),
})

const wanted = /^\/etc\/systemd\/system\/[^/]+\.(?:wants|requires)\/([^/]+\.(?:service|socket|timer))$/

/** The services, sockets and timers that are enabled, by name. */
export const readServices = (volume: Volume): Service[] => {
  const services = new Map<string, Service>()
  for (const path of volume.entries.keys()) {
    const name = wanted.exec(path)?.[1]
    const unit = name === undefined ? undefined : resolveEntry(volume, path)
    if (name === undefined || unit === undefined) continue
    services.set(name, {
      name,
      description: settingOf(readText(volume, unit.path), 'Description') ?? '',
      path: unit.path,
    })
  }
  return [...services.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}
