# shellcheck shell=sh
# Sourced by the launcher and by test/run, with PIBAKE_HOME set to the checkout. Leaves the path of a Node 24 in
# PIBAKE_NODE and the npm dependencies in node_modules, bringing both when they are missing. Needs a POSIX shell,
# coreutils and, when something is missing, npm (installed with apt where that is possible).

pibake_state=$PIBAKE_HOME/.pibake

pibake_say() { printf 'pibake: %s\n' "$*" >&2; }

# pibake_fail SENTENCE HINT
pibake_fail() {
  printf '✗ %s\n  → %s\n' "$1" "$2" >&2
  exit 1
}

# The line of node.lock for this machine: version, integrity, megabytes.
pibake_pin() {
  case $(uname -m) in
    x86_64 | amd64) pibake_machine=x64 ;;
    aarch64 | arm64) pibake_machine=arm64 ;;
    *) pibake_fail "pibake does not run on \`$(uname -m)\` machines." 'Use a 64-bit x86 or ARM machine with Linux.' ;;
  esac
  while read -r machine version integrity megabytes; do
    [ "$machine" = "$pibake_machine" ] || continue
    pibake_version=$version pibake_integrity=$integrity pibake_megabytes=$megabytes
    return
  done <"$PIBAKE_HOME/builder/host/node.lock"
  pibake_fail "builder/host/node.lock has no line for \`$pibake_machine\`." 'Take the file back from version control.'
}

# Whether the Node that pibake brought is there and is the pinned one; no process is started.
pibake_own_node() {
  PIBAKE_NODE=$pibake_state/node/bin/node
  [ -x "$PIBAKE_NODE" ] || return 1
  read -r brought 2>/dev/null <"$pibake_state/node/pibake-integrity" || return 1
  while read -r _ _ integrity _; do
    [ "$integrity" = "$brought" ] && return 0
  done <"$PIBAKE_HOME/builder/host/node.lock"
  return 1
}

# PIBAKE_OWN_NODE asks for the pinned Node, though the machine may have one.
pibake_find_node() {
  pibake_own_node && return 0
  [ -z "${PIBAKE_OWN_NODE-}" ] || return 1
  PIBAKE_NODE=$(command -v node) || return 1
  case $("$PIBAKE_NODE" --version 2>/dev/null) in v24.*) return 0 ;; *) return 1 ;; esac
}

pibake_packages_current() {
  cmp -s "$PIBAKE_HOME/package-lock.json" "$PIBAKE_HOME/node_modules/.pibake-lock.json"
}

# pibake_quietly head|tail COMMAND…: runs it, and shows the first or last lines of its output only when it fails.
pibake_quietly() {
  pibake_end=$1
  shift
  "$@" >"$pibake_work/output" 2>&1 && return 0
  "$pibake_end" -n 20 "$pibake_work/output" >&2
  return 1
}

pibake_need_npm() {
  command -v npm >/dev/null && return 0
  hint='Install npm with the package manager of this machine, then run the same command again.'
  command -v apt-get >/dev/null || pibake_fail 'npm is needed once, and is not installed.' "$hint"
  [ "$(id -u)" = 0 ] || pibake_fail 'npm is needed once, and is not installed.' 'Run `sudo apt-get install npm`, or pibake as root.'
  pibake_say 'installing npm with apt (once; about 30 MB to download)'
  {
    pibake_quietly tail env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
      pibake_quietly tail env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends npm ca-certificates
  } || pibake_fail 'apt could not install npm.' 'See what apt says above; it needs a reachable Debian mirror.'
}

# The digest of an integrity `sha512-BASE64`, in hexadecimal.
pibake_hex() { printf %s "${1#sha512-}" | base64 -d | od -An -v -tx1 | tr -d ' \n'; }

# Put $1 at the place $2, replacing what is there; called with the lock held.
pibake_replace() {
  [ ! -e "$2" ] || mv "$2" "$pibake_work/old"
  mv "$1" "$2"
}

pibake_bring_node() {
  pibake_pin
  pibake_need_npm
  package=node-linux-$pibake_machine
  pibake_say "downloading Node.js $pibake_version (once; about $pibake_megabytes MB)"
  network='Check that the npm registry is reachable (`npm ping`), then run the same command again.'
  mkdir "$pibake_work/pack" "$pibake_work/unpacked"
  (cd "$pibake_work/pack" && pibake_quietly head npm pack --ignore-scripts --loglevel=error "$package@$pibake_version") ||
    pibake_fail "npm could not download \`$package@$pibake_version\`." "$network"
  tarball=$pibake_work/pack/$package-$pibake_version.tgz
  digest=$(sha512sum <"$tarball") || pibake_fail "npm left no \`$package\`." "$network"
  [ "${digest%% *}" = "$(pibake_hex "$pibake_integrity")" ] ||
    pibake_fail "\`$package@$pibake_version\` is not the package that pibake pins: its SHA-512 differs." \
      'Nothing of it was run. Try again, or use another npm registry.'
  tar -xzf "$tarball" -C "$pibake_work/unpacked" package/bin/node package/LICENSE package/package.json
  "$pibake_work/unpacked/package/bin/node" --version >"$pibake_work/output" 2>&1 ||
    pibake_fail "Node.js $pibake_version does not run on this machine." 'It needs Linux with glibc 2.28 or newer (Debian 10 and later).'
  printf '%s\n' "$pibake_integrity" >"$pibake_work/unpacked/package/pibake-integrity"
  pibake_replace "$pibake_work/unpacked/package" "$pibake_state/node"
}

pibake_bring_packages() {
  pibake_need_npm
  pibake_say 'installing the npm dependencies (once; about 60 MB)'
  mkdir "$pibake_work/packages"
  for file in package.json package-lock.json .npmrc; do
    cp "$PIBAKE_HOME/$file" "$pibake_work/packages/"
  done
  (
    cd "$pibake_work/packages" &&
      pibake_quietly head npm ci --ignore-scripts --no-audit --no-fund --engine-strict=false --loglevel=error
  ) || pibake_fail 'npm could not install the dependencies.' \
    'See what npm says above. Check that the npm registry is reachable (`npm ping`), then run the same command again.'
  cp "$PIBAKE_HOME/package-lock.json" "$pibake_work/packages/node_modules/.pibake-lock.json"
  pibake_replace "$pibake_work/packages/node_modules" "$PIBAKE_HOME/node_modules"
}

# One set-up at a time; each result is moved into place whole. What an interrupted one left is removed.
pibake_bring() (
  set -eu
  mkdir -p "$pibake_state" 2>/dev/null && [ -w "$pibake_state" ] && [ -w "$PIBAKE_HOME" ] ||
    pibake_fail "\`$pibake_state\` cannot be written." 'Run pibake once as the owner of the checkout, or as root.'
  if command -v flock >/dev/null; then
    exec 9>"$pibake_state/setup.lock"
    flock -n 9 || {
      pibake_say 'waiting for another pibake that is setting up'
      flock 9
    }
    rm -rf "$pibake_state"/setup.work.*
  fi
  pibake_work=$pibake_state/setup.work.$$
  trap 'rm -rf "$pibake_work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  mkdir "$pibake_work"
  if ! pibake_find_node; then pibake_bring_node; fi
  if ! pibake_packages_current; then
    rm -rf "$pibake_work/old"
    pibake_bring_packages
  fi
)

if ! pibake_find_node || ! pibake_packages_current; then
  pibake_bring
  pibake_status=$?
  [ "$pibake_status" = 0 ] || exit "$pibake_status"
  pibake_find_node || pibake_fail 'Node 24 is missing after the set-up.' 'Delete the folder `.pibake/node` and try again.'
fi
