#!/bin/bash
# Turns a root with everything installed into one that any number of cards may start from: no identity, no traces of
# the bake, and a boot partition that finds its root. Runs beside the target. usage: finalise.sh HOSTNAME [BOOT_PARTUUID ROOT_PARTUUID]
# Without these the partitions keep their names.
set -euo pipefail
hostname=$1
boot=${2-}
root=${3-}
cd /target

# Identity is made on the card at first boot.
rm -f etc/ssh/ssh_host_*_key etc/ssh/ssh_host_*_key.pub
# The package ssl-cert makes a key when it is installed, for services that were given none.
rm -f etc/ssl/private/ssl-cert-snakeoil.key etc/ssl/certs/ssl-cert-snakeoil.pem
[ ! -d etc/ssl/certs ] || find etc/ssl/certs -lname ssl-cert-snakeoil.pem -delete
rm -f var/lib/dbus/machine-id var/lib/systemd/random-seed var/lib/systemd/credential.secret
echo uninitialized >etc/machine-id
echo "$hostname" >etc/hostname
if grep -qs '^127\.0\.1\.1[[:space:]]' etc/hosts; then sed -i "s/^\(127\.0\.1\.1[[:space:]]\+\).*/\1$hostname/" etc/hosts; fi
[ -e etc/hosts ] || printf '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n' >etc/hosts

# Partitions are named by their ids in the partition table: the same on a card, a stick or a disk.
if [ -n "$root" ]; then
  cat >etc/fstab <<END
PARTUUID=$root  /               ext4  defaults,noatime  0  1
PARTUUID=$boot  /boot/firmware  vfat  defaults,noatime,umask=0077  0  2
END
  if [ -f etc/default/raspi-firmware ]; then
    sed -i "s/^#\?ROOTPART=.*/ROOTPART=PARTUUID=$root/" etc/default/raspi-firmware
  fi
  for options in boot/firmware/cmdline.txt boot/firmware/loader/entries/*.conf; do
    [ ! -f "$options" ] || sed -i "s/\broot=[^ ]*/root=PARTUUID=$root/" "$options"
  done
fi

# What the bake left behind: logs, lists, caches, backups that only say when it ran.
find var/log -type f -delete
rm -rf var/lib/apt/lists var/cache/apt var/cache/ldconfig/aux-cache var/cache/debconf/*-old
rm -f var/lib/dpkg/*-old var/lib/dpkg/lock* var/lib/apt/extended_states~ var/backups/* etc/.pwd.lock
rm -f etc/passwd- etc/group- etc/shadow- etc/gshadow- etc/subuid- etc/subgid-
rm -f etc/resolv.conf root/.bash_history root/.wget-hsts
mkdir -p var/lib/apt/lists/partial var/cache/apt/archives/partial
chown 42:0 var/lib/apt/lists/partial var/cache/apt/archives/partial 2>/dev/null || true
chmod 0700 var/lib/apt/lists/partial var/cache/apt/archives/partial
