/**
 * What the base `debian` consists of besides the essential packages: enough to boot a Raspberry Pi 3, 4 or Zero 2 W, to
 * join a network and to be looked after by hand. The kernel comes last and alone, so that its initramfs is made once,
 * when all that contributes to it is there.
 */
export const basePackages: readonly string[] = [
  'apt',
  'dbus',
  'dosfstools',
  'e2fsprogs',
  'fdisk',
  'firmware-brcm80211',
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
  'raspi-firmware',
  'systemd',
  'systemd-sysv',
  'systemd-timesyncd',
  'udev',
  'wireless-regdb',
  'wpasupplicant',
  'zstd',
]

export const kernelPackage = 'linux-image-arm64'
