#!/bin/sh
# Carries out what Raspberry Pi Imager wrote to the boot partition for its format `systemd`: it puts firstrun.sh there and
# has systemd run /boot/firstrun.sh, this file, in place of the system, then restart. Interrupted, it is run again.
set -u

boot=/boot/firmware
written=$boot/firstrun.sh
work=/run/pibake-imager

mkdir -p "$work"
chmod 0700 "$work"
if [ -s "$written" ]; then
  # Its last steps are for a boot partition at /boot; here they are those below.
  tr -d '\r' <"$written" | sed -e 's|/usr/lib/raspberrypi-sys-mods/imager_custom|/usr/lib/pibake/imager/custom|g' \
    -e 's|/usr/lib/userconf-pi/userconf|/usr/lib/pibake/imager/userconf|g' \
    -e '/^rm -f \/boot\/firstrun\.sh$/d' -e '/\/boot\/cmdline\.txt$/d' >"$work/firstrun.sh"
  /bin/sh "$work/firstrun.sh" || echo 'firstrun.sh ended with an error' >&2
  # For a name that the command above cannot take, Imager writes the whole file itself.
  if [ -s /etc/wpa_supplicant/wpa_supplicant.conf ]; then
    mv -f /etc/wpa_supplicant/wpa_supplicant.conf /etc/wpa_supplicant/wpa_supplicant-wlan0.conf
  fi
fi
rm -rf "$work"

# All that was made is on the card before what asked for it goes; it holds the passwords.
sync
rm -f "$written"
if grep -q ' systemd\.run=/boot/firstrun\.sh' "$boot/cmdline.txt"; then
  sed -e 's| systemd\.run[^ ]*||g' -e 's| systemd\.unit=kernel-command-line\.target||g' "$boot/cmdline.txt" \
    >"$boot/cmdline.new"
  sync "$boot/cmdline.new"
  mv -f "$boot/cmdline.new" "$boot/cmdline.txt"
fi
sync
exit 0
