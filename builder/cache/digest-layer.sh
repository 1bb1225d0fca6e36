#!/bin/bash
# Prints the SHA-256 of a folder's canonical tar. usage: digest-layer.sh FOLDER
set -euo pipefail
tar --create --directory="$1" --sort=name --numeric-owner --format=posix \
  --xattrs --xattrs-include='*' --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime . | sha256sum
