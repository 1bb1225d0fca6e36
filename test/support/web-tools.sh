# shellcheck shell=sh
# Sourced by test/run after builder/host/setup.sh: brings what the tests of web pages need and the machine lacks. Chromium
# is installed with apt; nginx, which would start a service, qrencode and certutil are only unpacked, into .pibake/web-tools.
# Where apt is missing or cannot, those tests skip and say why.

pibake_find_browser() {
  for pibake_name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$pibake_name" >/dev/null && return 0
  done
  return 1
}

pibake_web_tools() {
  pibake_find_browser && [ -x "$pibake_state/web-tools/usr/sbin/nginx" ] && [ -x "$pibake_state/web-tools/usr/bin/certutil" ] &&
    return 0
  command -v apt-get >/dev/null || return 0
  pibake_work=$(mktemp -d)
  DEBIAN_FRONTEND=noninteractive
  export DEBIAN_FRONTEND
  pibake_quietly tail apt-get -q update || true
  if ! pibake_find_browser; then
    pibake_say 'installing chromium with apt, for the tests of web pages (once; about 100 MB to download)'
    pibake_quietly tail apt-get -q install -y --no-install-recommends chromium || pibake_say 'apt could not install chromium'
  fi
  if (cd "$pibake_work" && pibake_quietly tail apt-get -q download nginx qrencode libqrencode4 libnss3-tools); then
    mkdir -p "$pibake_work/tree"
    for pibake_deb in "$pibake_work"/*.deb; do dpkg-deb --extract "$pibake_deb" "$pibake_work/tree"; done
    rm -rf "$pibake_state/web-tools"
    mkdir -p "$pibake_state"
    mv "$pibake_work/tree" "$pibake_state/web-tools"
  else
    pibake_say 'apt could not download nginx, qrencode and certutil'
  fi
  rm -rf "$pibake_work"
}
