import type { Architecture } from '../host/architecture.ts'
import type { ResolvedProfile, Suite } from './schema.ts'
import { targets } from './target.ts'

/**
 * What the base `debian` consists of besides the essential packages: enough to boot, to join a network
 * and to be looked after by hand. What the machine needs besides, its kernel above all, is its target's.
 */
const basePackages: readonly string[] = [
  'apt',
  'dbus',
  'dosfstools',
  'e2fsprogs',
  'fdisk',
  'initramfs-tools',
  'iproute2',
  'iputils-ping',
  'iw',
  'kmod',
  'less',
  'login',
  'nano',
  'netbase',
  'passwd',
  'procps',
  'systemd',
  'systemd-sysv',
  'systemd-timesyncd',
  'udev',
  'wireless-regdb',
  'wpasupplicant',
  'zstd',
]

const kernelPackages: Readonly<Partial<Record<Architecture, string>>> = { armhf: 'linux-image-armmp' }

/** The kernel of the base, which is installed after all else. */
export const kernelPackageOf = (architecture: Architecture): string =>
  kernelPackages[architecture] ?? `linux-image-${architecture}`

/**
 * What the base needs besides in some suites. In bookworm an essential package would otherwise bring `usrmerge`, and with
 * it all of perl, to merge a /usr that is merged from the start; in forky systemd no longer depends on `mount`.
 */
const suitePackages: Readonly<Partial<Record<Suite, readonly string[]>>> = {
  bookworm: ['usr-is-merged'],
  forky: ['mount'],
}

/** What the base of a profile consists of besides the essential packages and the kernel. */
export const basePackagesOf = ({ suite, target }: Pick<ResolvedProfile, 'suite' | 'target'>): readonly string[] => [
  ...basePackages,
  ...targets[target].basePackages,
  ...(suitePackages[suite] ?? []),
]
