#!/bin/bash
# Makes an empty target root one in which dpkg works: unpacks the essential packages natively, then configures them.
# usage: bootstrap.sh ARCHITECTURE DEB…   (names of files in the step's repository)
set -euo pipefail
shift
repository=/target/.pibake/repo
# The merged /usr. Since trixie base-files brings these links; before, a root has to have them before anything is unpacked.
for folder in bin lib sbin; do
  mkdir -p "/target/usr/$folder"
  ln -s "usr/$folder" "/target/$folder"
done
for deb in "$@"; do
  dpkg-deb --fsys-tarfile "$repository/$deb" |
    tar --extract --directory=/target --keep-directory-symlink --preserve-permissions --numeric-owner
done
cp /target/usr/share/base-passwd/passwd.master /target/etc/passwd
cp /target/usr/share/base-passwd/group.master /target/etc/group
mkdir -p /target/var/lib/dpkg
touch /target/var/lib/dpkg/status
install() {
  chroot /target dpkg --force-depends --force-confold --force-unsafe-io --install "${@/#//.pibake/repo/}"
}
# usr-is-merged takes /lib64 away, and with it the native twins of this command (see root.ts): it comes last.
first=() last=()
for deb in "$@"; do
  case $deb in usr-is-merged_*) last+=("$deb") ;; *) first+=("$deb") ;; esac
done
install "${first[@]}"
[ ${#last[@]} = 0 ] || install "${last[@]}"
