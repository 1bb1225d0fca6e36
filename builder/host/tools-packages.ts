/**
 * Packages whose programs can stand in for the target's own while packages are configured (native twins). Unpacked for
 * every suite that is baked; `libperl5.*` stands for the perl library of that suite, `?` marks what some suites lack.
 */
export const twinPackages: readonly string[] = [
  'base-files',
  'base-passwd',
  'bash',
  'bsdutils',
  'busybox',
  'bzip2',
  'coreutils',
  'cpio',
  'dash',
  'debianutils',
  'diffutils',
  'dpkg',
  'dracut-install?',
  'file',
  'findutils',
  'gawk',
  'grep',
  'gzip',
  'initramfs-tools-bin?',
  'klibc-utils',
  'kmod',
  'libc-bin',
  'libperl5.*',
  'login',
  'mawk',
  'openssh-client',
  'openssl',
  'passwd',
  'perl-base',
  'pigz',
  'python3-minimal',
  'sed',
  'sensible-utils',
  'systemd',
  'tar',
  'udev',
  'util-linux',
  'xz-utils',
  'zstd',
]

/** Everything pibake runs on the host: the twins, and what resolves, assembles and boots. Unpacked for one suite only. */
export const toolPackages: readonly string[] = [
  ...twinPackages,
  'apt',
  'apt-utils',
  'attr',
  'bubblewrap',
  'debian-archive-keyring',
  'dosfstools',
  'e2fsprogs',
  'fdisk',
  'gpg',
  'gpg-agent',
  'gpgv',
  // mke2fs loads it when it is given a tar archive.
  'libarchive13t64',
  'libcap2-bin',
  'mount',
  'mtools',
  // Firmware that QEMU's machines with UEFI start with.
  'ovmf',
  'qemu-efi-aarch64',
  'qemu-system-arm',
  'qemu-system-x86',
  'qemu-user',
  'qemu-utils',
  'rsync',
  'sqv',
  'tcc',
]

/** The suite that the tools come from, whatever suite is baked. */
export const toolsSuite = 'trixie'

/** What must be unpacked before the tree can unpack the rest of itself. */
export const firstPackages: readonly string[] = ['bubblewrap', 'tar', 'xz-utils']
