#!/bin/sh
# Runs in the tools sandbox as real root: stacks the target root's overlay, then gives up to a user namespace of its own.
# usage: enter.sh LOWERDIR[:LOWERDIR…] DISPATCHER:MAGIC|- PROGRAM [ARGUMENT…]
set -eu
lower=$1
shift
mount -t overlay pibake /target \
  -o "lowerdir=$lower,upperdir=/layer/upper,workdir=/layer/work,volatile,redirect_dir=nofollow,index=off,metacopy=off"
exec unshare --map-users=0:0:65536 --map-groups=0:0:65536 --mount sh /pibake/inside.sh "$@"
