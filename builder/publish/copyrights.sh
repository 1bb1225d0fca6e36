#!/bin/bash
# Takes the copyright file out of each package, and the link where one package uses another's.
#   copyrights.sh DESTINATION JOBS <<< "DIGEST PACKAGE-FILE" (a line each)
# Lands in DESTINATION/DIGEST/usr/share/doc/….
set -euo pipefail
export destination=$1
take() {
  mkdir "$destination/$1"
  # tar fails when a package has neither; what is there then decides.
  dpkg-deb --fsys-tarfile "$2" | tar --extract --directory="$destination/$1" --no-same-owner --no-same-permissions \
    --no-recursion --wildcards --no-wildcards-match-slash './usr/share/doc/*' './usr/share/doc/*/copyright' 2>/dev/null ||
    [ "${PIPESTATUS[0]}" = 0 ]
}
export -f take
xargs --no-run-if-empty --max-procs="$2" --max-args=2 bash -c 'set -euo pipefail; take "$@"' take
