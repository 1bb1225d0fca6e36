# shellcheck shell=sh
# Sourced by test/run after builder/host/setup.sh: installs bmaptool with apt, for the tests of block maps. Where apt is
# missing or cannot, those tests skip and say why.

pibake_bmaptool() {
  command -v bmaptool >/dev/null && return 0
  command -v apt-get >/dev/null || return 0
  DEBIAN_FRONTEND=noninteractive
  export DEBIAN_FRONTEND
  pibake_quietly tail apt-get -q update || true
  pibake_say 'installing bmap-tools with apt, for the tests of block maps (once)'
  pibake_quietly tail apt-get -q install -y --no-install-recommends bmap-tools || pibake_say 'apt could not install bmap-tools'
}
