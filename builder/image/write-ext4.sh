#!/bin/bash
# Write a folder into an ext4 file system, without mounting it and in the same bytes every time.
#   write-ext4.sh ROOT TIME EXCLUDED MKE2FS-ARGUMENTS...
# ROOT      the folder; owners, modes, links, devices and extended attributes are kept
# TIME      seconds since 1970; later modification times are set to it
# EXCLUDED  file (or - for standard input) with one ./path a line that is left out with all beneath it
set -euo pipefail
root=$1 time=$2 excluded=$3
shift 3
tar --create --directory="$root" --blocking-factor=512 --sort=name --numeric-owner --xattrs '--xattrs-include=*' \
  --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime \
  "--mtime=@$time" --clamp-mtime --warning=no-file-ignored \
  --anchored --no-wildcards --exclude-from="$excluded" . |
  mke2fs "$@"
