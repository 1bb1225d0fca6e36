#!/bin/bash
# Installs packages of the step's repository into the target. usage: apt.sh ARCHITECTURE [--reinstall] PACKAGE…
set -euo pipefail
architecture=$1
shift
mkdir -p /tmp/apt/{lists,cache/archives}/partial /tmp/apt/log /tmp/apt/etc/{apt.conf,preferences,sources.list,trusted.gpg}.d
mkdir -p /target/var/lib/apt
# Every package in this repository was compared with the lock before it was put there.
echo 'deb [trusted=yes] file:/target/.pibake/repo ./' >/tmp/apt/etc/sources.list
{
  cat /pibake/apt.conf
  echo "APT::Architecture \"$architecture\"; APT::Architectures { \"$architecture\"; };"
  # A 32-bit base may have a kernel of 64 bits: dpkg(1), --add-architecture.
  if [ -s /target/var/lib/dpkg/arch ]; then sed 's/.*/APT::Architectures { "&"; };/' /target/var/lib/dpkg/arch; fi
} >/tmp/apt/apt.conf
export APT_CONFIG=/tmp/apt/apt.conf
# An initramfs for the hardware that is there (`dep`) cannot be made where there is none; the image's own setting counts again
# afterwards, on the Pi.
initramfs=/target/etc/initramfs-tools/conf.d
if [ -d "$initramfs" ] && grep -qsE '^[[:space:]]*MODULES=("|'\'')?dep' "${initramfs%/*}/initramfs.conf" "$initramfs"/*; then
  echo 'MODULES=most' >"$initramfs/zz-pibake"
  trap 'rm -f "$initramfs/zz-pibake"' EXIT
fi
apt-get update -q
apt-get install -q --yes --no-install-recommends "$@"
