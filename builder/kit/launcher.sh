#!/bin/sh
# pibake from a stick: `sh pibake --help` in the folder of the stick. See README.txt beside it.
# Unpacks pibake with Node and its dependencies to a folder of this machine (PIBAKE_DESK; /var/lib/pibake for root, else
# ~/.local/share/pibake), and starts it there. Each archive is checked against SHA256SUMS first; that the sums are signed by whoever
# made the stick that was used there before, by the pibake from that one. Of the first stick, only a pibake that you trust already
# can say who made it: `pibake kit verify FOLDER --key FINGERPRINT`.
# Needs a POSIX shell, coreutils, tar and gzip. Writes nothing to the stick, and runs no program from it.
# shellcheck disable=SC2016 # back-ticks in messages are no commands
set -u

self=$0
while [ -L "$self" ]; do
  link=$(readlink "$self")
  case $link in
    /*) self=$link ;;
    *) self=$(dirname "$self")/$link ;;
  esac
done
case $self in
  */*) stick=${self%/*} ;;
  *) stick=. ;;
esac
stick=$(CDPATH='' cd -- "${stick:-/}" && pwd -P) || exit

say() { printf 'pibake: %s\n' "$*" >&2; }

# fail SENTENCE HINT
fail() {
  printf '✗ %s\n  → %s\n' "$1" "$2" >&2
  exit 1
}

[ "$(uname -s)" = Linux ] || fail 'pibake needs Linux.' 'The images and documents on this stick can be used as they are: open index.html.'
case $(uname -m) in
  x86_64 | amd64) machine=x64 ;;
  aarch64 | arm64) machine=arm64 ;;
  *) fail "pibake does not run on \`$(uname -m)\` machines." 'Use a 64-bit x86 or ARM machine with Linux.' ;;
esac

[ ! -e "$stick/kit/unfinished" ] ||
  fail 'This stick is not finished: its copying was interrupted.' 'Where it was made, run the same `pibake kit` again; what is there already is kept.'

if [ -n "${PIBAKE_DESK-}" ]; then
  desk=$PIBAKE_DESK
elif [ "$(id -u)" = 0 ]; then
  desk=/var/lib/pibake
else
  desk=${XDG_DATA_HOME:-$HOME/.local/share}/pibake
fi

# The checksum of a file of the stick, as its list says.
sum_of() {
  while read -r sum path; do
    [ "$path" = "$1" ] || continue
    printf %s "$sum"
    return
  done <"$stick/SHA256SUMS"
  return 1
}

# unpacked PART SUM: whether this very archive is what lies unpacked on the desk.
unpacked() {
  read -r there 2>/dev/null <"$desk/.pibake/from-stick/$1" && [ "$there" = "$2" ]
}

# Whoever made the first stick that was used here is to have made this one: the pibake that is here already says so, before
# anything of the new one is run.
check_signature() {
  [ -e "$trusted" ] && [ -e "$desk/.pibake/from-stick/pibake" ] || return 0
  sh "$desk/pibake" kit verify "$stick" --quick --key "$trusted" >"$work/said" 2>&1 && return 0
  cat "$work/said" >&2
  fail 'Nothing of this stick is used here: it is not from whom the one before was.' "If you know who made it, and mean it: remove \`$trusted\`, and start it again."
}

# Copy an archive to the desk, check the copy, unpack it into the folder $work/$1.
# unpack PART FILE SUM
unpack() {
  cp "$stick/$2" "$work/archive" || fail "\`$2\` cannot be read from the stick." 'Is it still in? Another copy of the stick may be whole.'
  digest=$(sha256sum <"$work/archive") || exit
  [ "${digest%% *}" = "$3" ] ||
    fail "\`$2\` on the stick is damaged: its SHA-256 is not the one in SHA256SUMS." 'Nothing of it was run. Use another copy of the stick.'
  mkdir "$work/$1"
  tar -xzf "$work/archive" --no-same-owner -C "$work/$1" || fail "\`$2\` could not be unpacked to \`$desk\`." 'Is the disk full? PIBAKE_DESK names another folder.'
  rm "$work/archive"
}

# Put $1 at the place $2, and what was there aside.
replace() {
  if [ -e "$2" ] || [ -L "$2" ]; then
    mkdir -p "$aside"
    mv "$2" "$aside/"
  fi
  mv "$1" "$2"
}

# Sources go in piece by piece: images, cache and state of the desk stay.
place_sources() {
  aside=$work/previous
  mkdir -p "$desk/packages-cache"
  for entry in "$work/pibake"/* "$work/pibake"/.npmrc; do
    [ -e "$entry" ] || continue
    case ${entry##*/} in
      packages-cache) replace "$entry/locks" "$desk/packages-cache/locks" ;;
      *) replace "$entry" "$desk/${entry##*/}" ;;
    esac
  done
  if [ -d "$aside" ]; then
    rm -rf "$desk/.pibake/previous"
    mv "$aside" "$desk/.pibake/previous"
  fi
}

place() {
  aside=$work/old
  case $1 in
    pibake) place_sources ;;
    node_modules) replace "$work/node_modules/node_modules" "$desk/node_modules" ;;
    node-*)
      "$work/$1/.pibake/node/bin/node" --version >/dev/null 2>&1 ||
        fail "Node does not run from \`$desk\`." 'It needs glibc 2.28 or newer (Debian 10 and later), and a disk that programs may run from: PIBAKE_DESK names another folder.'
      replace "$work/$1/.pibake/node" "$desk/.pibake/node"
      ;;
  esac
}

# One set-up at a time. A part counts once its sum is written down, which is after all of it is in its place.
set_up() (
  set -eu
  umask 022
  if ! mkdir -p "$desk/.pibake/from-stick" 2>/dev/null || ! [ -w "$desk/.pibake/from-stick" ]; then
    fail "\`$desk\` cannot be written." 'PIBAKE_DESK names another folder for what pibake needs on this machine, or run it as root.'
  fi
  if command -v flock >/dev/null; then
    exec 9>"$desk/.pibake/setup.lock"
    flock 9
    rm -rf "$desk/.pibake"/stick.work.*
  fi
  work=$desk/.pibake/stick.work.$$
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  mkdir "$work"
  trusted=$desk/.pibake/from-stick/pibake-kit.asc
  check_signature
  wanted=
  for part in $parts; do
    sum=$(sum_of "kit/$part.tar.gz") || fail "This stick has no pibake for \`$machine\` machines." 'Make one where such a machine is: `pibake kit FOLDER`.'
    unpacked "$part" "$sum" && continue
    say "unpacking $part to $desk (once)"
    unpack "$part" "kit/$part.tar.gz" "$sum"
    printf '%s\n' "$sum" >"$work/$part.sum"
    wanted="$wanted $part"
  done
  # All that is new goes in together: an old pibake with a new Node would be neither.
  for part in $wanted; do place "$part"; done
  cp "$desk/package-lock.json" "$desk/node_modules/.pibake-lock.json"
  [ -e "$trusted" ] || cp "$stick/pibake-kit.asc" "$trusted"
  for part in $wanted; do mv "$work/$part.sum" "$desk/.pibake/from-stick/$part"; done
)

[ -r "$stick/SHA256SUMS" ] || fail "There is no SHA256SUMS in \`$stick\`." 'The launcher works from the folder of a whole stick only.'
parts="node-$machine node_modules pibake"
for part in $parts; do
  sum=$(sum_of "kit/$part.tar.gz") && unpacked "$part" "$sum" && continue
  set_up || exit
  break
done

PIBAKE_STICK=$stick
export PIBAKE_STICK
exec sh "$desk/pibake" "$@"
