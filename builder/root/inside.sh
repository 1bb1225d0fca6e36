#!/bin/sh
# Runs in the target's own user and mount namespace: whatever is mounted or registered here ends with the last process.
# usage: inside.sh DISPATCHER:MAGIC|- PROGRAM [ARGUMENT…]
# MAGIC is how the target's programs begin, in hex.
set -eu
dispatcher=$1
shift
if [ "$dispatcher" != - ]; then
  mount -t binfmt_misc binfmt_misc /binfmt
  magic=$(printf '%s' "${dispatcher#*:}" | sed 's/../\\x&/g')
  mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  printf '%s' ":pibake:M::$magic:$mask:${dispatcher%%:*}:PF" >/binfmt/register
fi
mount --rbind /proc /target/proc
mount --rbind /dev /target/dev
mount -t tmpfs -o mode=0755 tmpfs /target/run
mount -t tmpfs -o mode=1777 tmpfs /target/tmp
mkdir /target/run/lock
mount --rbind /inside /target/.pibake
for folder in /native-libraries/*; do
  [ -d "$folder" ] || continue
  mount --bind "$folder" "/target/usr/lib/${folder##*/}"
  # A target without the full perl library must not see the native one's.
  if [ -d "$folder/perl" ] && [ ! -e /inside/native/.perl-library ]; then
    mount -t tmpfs tmpfs "/target/usr/lib/${folder##*/}/perl"
  fi
done
[ -d /native-linker ] && mount --bind /native-linker /target/usr/lib64
exec "$@"
