#!/bin/bash
# Makes an empty target root one in which dpkg works: unpacks the essential packages natively, then configures them.
# usage: bootstrap.sh ARCHITECTURE DEB…   (names of files in the step's repository)
set -euo pipefail
shift
repository=/target/.pibake/repo
for deb in "$@"; do
  dpkg-deb --fsys-tarfile "$repository/$deb" |
    tar --extract --directory=/target --keep-directory-symlink --preserve-permissions --numeric-owner
done
cp /target/usr/share/base-passwd/passwd.master /target/etc/passwd
cp /target/usr/share/base-passwd/group.master /target/etc/group
mkdir -p /target/var/lib/dpkg
touch /target/var/lib/dpkg/status
chroot /target dpkg --force-depends --force-confold --force-unsafe-io --install "${@/#//.pibake/repo/}"
