#!/bin/bash
# Runs beside a plain Debian root at /target: installs the package of each stage from a mirror with apt, purges it, and compares
# the file system with what it was once the Debian packages were there that it depends on. What is left is printed, a line
# `left STAGE CHANGE` for each. usage: plain-debian.sh ARCHITECTURE STAGE…
set -euo pipefail
architecture=$1
shift
mkdir -p /tmp/apt/{lists,cache/archives}/partial /tmp/apt/log /tmp/apt/etc/{apt.conf,preferences,sources.list,trusted.gpg}.d
# The card that serves it signs it; this one is as it was baked.
echo 'deb [trusted=yes] file:/target/.pibake/mirror pibake main pibake' >/tmp/apt/etc/sources.list
{
  cat /pibake/apt.conf
  echo "APT::Architecture \"$architecture\"; APT::Architectures { \"$architecture\"; };"
} >/tmp/apt/apt.conf
export APT_CONFIG=/tmp/apt/apt.conf

# Users stay when a package goes (Debian policy, section 9.2.2), with what apt, dpkg and debconf write down for themselves. /opt is
# no package's, so dpkg takes it along with the last that has something there.
snapshot() {
  find /target -xdev \( -path /target/proc -o -path /target/sys -o -path /target/dev -o -path /target/run -o -path /target/tmp \
    -o -path /target/.pibake -o -path /target/var/lib/dpkg -o -path /target/var/lib/apt -o -path /target/var/cache/apt \
    -o -path /target/var/cache/debconf -o -path /target/var/log -o -path '/target/etc/passwd*' -o -path '/target/etc/group*' \
    -o -path '/target/etc/shadow*' -o -path '/target/etc/gshadow*' -o -path '/target/etc/sub?id*' -o -path '/target/etc/.pwd.lock' \) \
    -prune -o -printf '%P %y %m %u:%g %l\n' | grep -v '^opt d ' | sort >/tmp/entries
  sed -n 's/ f [0-9]* [^ ]* $//p' /tmp/entries | tr '\n' '\0' | (cd /target && xargs -0 sha256sum) | cat /tmp/entries - >"$1"
}

apt-get update -q --error-on=any
for stage in "$@"; do
  echo "stage $stage"
  mapfile -t needed < <(apt-get install -s "pibake-$stage" | sed -n 's/^Inst \([^ ]*\) .*/\1/p' | grep -v '^pibake-')
  if [ ${#needed[@]} -gt 0 ]; then apt-get install -q --yes "${needed[@]}"; fi
  snapshot /tmp/before
  apt-get install -q --yes "pibake-$stage"
  dpkg --root=/target --verify "pibake-$stage" | sed "s/^/left $stage not as packed: /"
  dpkg --root=/target --audit | sed "s/^/left $stage audit: /"
  snapshot /tmp/with
  if cmp -s /tmp/before /tmp/with; then echo "left $stage nothing was installed"; fi
  # shellcheck disable=SC2016
  mapfile -t own < <(chroot /target dpkg-query -W -f '${binary:Package}\n' 'pibake-*')
  echo "purge ${own[*]}"
  apt-get purge -q --yes "${own[@]}"
  snapshot /tmp/after
  { diff /tmp/before /tmp/after || true; } | sed -n "s/^[<>]/left $stage &/p"
done
echo 'all stages done'
