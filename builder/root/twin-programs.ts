/**
 * The programs that may run as native twins, by the Debian package that owns them: only such whose output depends neither
 * on the processor nor on the running kernel. An allow list on purpose: whatever is not named here runs under qemu.
 * Left out knowingly: uname, arch, nproc, ldconfig, ldd, locale, getent, su, login, mount, chroot, unshare, apt.
 */
export const twinPrograms: Readonly<Record<string, readonly string[]>> = {
  bash: ['usr/bin/bash'],
  // It has nobody to talk to while a root is baked: no socket, and so no output.
  bsdutils: ['usr/bin/logger'],
  busybox: ['usr/bin/busybox'],
  bzip2: ['usr/bin/bzip2'],
  coreutils: [
    '[ b2sum base32 base64 basename basenc cat chgrp chmod chown cksum comm cp csplit cut date dd df dir dircolors dirname du echo',
    'env expand expr factor false fmt fold groups head id install join link ln logname ls md5sum mkdir mkfifo mknod mktemp mv nl',
    'numfmt od paste pathchk pr printenv printf ptx pwd readlink realpath rm rmdir seq sha1sum sha224sum sha256sum sha384sum',
    'sha512sum shred shuf sleep sort split stat stdbuf stty sum sync tac tail tee test timeout touch tr true truncate tsort tty',
    'unexpand uniq unlink vdir wc yes',
  ].flatMap((line) => line.split(' ').map((name) => `usr/bin/${name}`)),
  cpio: ['usr/bin/cpio'],
  dash: ['usr/bin/dash'],
  debianutils: [
    'usr/bin/run-parts',
    'usr/bin/tempfile',
    'usr/bin/ischroot',
    'usr/sbin/add-shell',
    'usr/sbin/remove-shell',
  ],
  diffutils: ['usr/bin/cmp', 'usr/bin/diff'],
  dpkg: ['usr/bin/dpkg-realpath', 'usr/bin/dpkg-statoverride', 'usr/bin/update-alternatives'],
  'dracut-install': ['usr/lib/dracut/dracut-install'],
  file: ['usr/bin/file'],
  findutils: ['usr/bin/find', 'usr/bin/xargs'],
  gawk: ['usr/bin/gawk'],
  grep: ['usr/bin/grep'],
  gzip: ['usr/bin/gzip'],
  kmod: ['usr/bin/kmod'],
  'libcap2-bin': ['usr/sbin/setcap', 'usr/sbin/getcap'],
  mawk: ['usr/bin/mawk'],
  // Its host keys are random either way, and taken out of the image again.
  'openssh-client': ['usr/bin/ssh-keygen'],
  'openssh-common': ['usr/bin/ssh-keygen'],
  openssl: ['usr/bin/openssl'],
  passwd: [
    ...['chage', 'chfn', 'chsh', 'gpasswd', 'passwd'].map((name) => `usr/bin/${name}`),
    ...[
      'chgpasswd',
      'chpasswd',
      'groupadd',
      'groupdel',
      'groupmod',
      'grpck',
      'grpconv',
      'newusers',
      'pwck',
      'pwconv',
      'shadowconfig',
    ],
    ...['useradd', 'userdel', 'usermod', 'vipw'],
  ].map((name) => (name.includes('/') ? name : `usr/sbin/${name}`)),
  'perl-base': ['usr/bin/perl'],
  'python3.14-minimal': ['usr/bin/python3.14'],
  'python3.13-minimal': ['usr/bin/python3.13'],
  'python3.11-minimal': ['usr/bin/python3.11'],
  sed: ['usr/bin/sed'],
  systemd: [
    'usr/bin/systemctl',
    'usr/bin/systemd-sysusers',
    'usr/bin/systemd-tmpfiles',
    'usr/bin/systemd-machine-id-setup',
    'usr/bin/systemd-escape',
    'usr/bin/journalctl',
  ],
  tar: ['usr/bin/tar'],
  udev: ['usr/bin/udevadm', 'usr/bin/systemd-hwdb'],
  'util-linux': ['usr/bin/getopt', 'usr/bin/flock', 'usr/bin/ionice', 'usr/bin/rev', 'usr/bin/setsid', 'usr/bin/more'],
  'xz-utils': ['usr/bin/xz'],
  zstd: ['usr/bin/zstd'],
}

/**
 * dpkg's programs, which have the architecture they were built for compiled in: their twins are copies with that one word
 * replaced (see `patchArchitecture`).
 */
export const dpkgPrograms: readonly string[] = [
  'usr/bin/dpkg',
  'usr/bin/dpkg-deb',
  'usr/bin/dpkg-divert',
  'usr/bin/dpkg-query',
  'usr/bin/dpkg-split',
  'usr/bin/dpkg-trigger',
]
