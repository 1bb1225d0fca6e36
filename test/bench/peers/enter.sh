#!/bin/sh
# Runs a command on the peers' host: a root of its own, in namespaces of its own, so that nothing it mounts outlives it.
# Started by `unshare --mount --net --ipc --uts --pid --fork --kill-child`.
# usage: enter.sh TREE MIRROR WORK COMMAND [ARGUMENT…]
# TREE    root with the peers, which stays as it is
# MIRROR  folder that is /mirror inside
# WORK    folder that is /bench inside; what is written elsewhere lands beside it
set -eu
tree=$1 mirror=$2 work=$3
shift 3
recipes=$(dirname "$(realpath "$0")")/recipes
root=$work.root
rm -rf "$root"
mkdir -p "$work/tmp" "$root/upper" "$root/work" "$root/merged"
mount --make-rprivate /
mount -t overlay peers "$root/merged" -o "lowerdir=$tree,upperdir=$root/upper,workdir=$root/work"
cd "$root/merged"
mkdir -p dev mirror proc recipes root run sys tmp bench .old
touch etc/resolv.conf
rm -f etc/mtab
ln -s ../proc/self/mounts etc/mtab
# Not by the PATH: debootstrap sets its own.
mv usr/sbin/chroot usr/sbin/chroot.real
cp "$recipes/bin/chroot" usr/sbin/chroot
mount --rbind /dev dev
mount --rbind /sys sys
mount -t proc proc proc
mount -t tmpfs -o mode=0755 tmpfs run
mkdir run/lock
mount --bind "$work" bench
mount --bind "$work/tmp" tmp
mount --bind "$work/tmp" var/tmp
for pair in "$mirror mirror" "$recipes recipes"; do
  mount --bind "${pair% *}" "${pair##* }"
  mount -o remount,bind,ro "${pair##* }"
done
pivot_root . .old
exec usr/sbin/chroot.real . /bin/sh -c '
  set -eu
  umount --lazy /.old
  rmdir /.old
  chmod 1777 /tmp
  exec "$@"' sh "$@"
