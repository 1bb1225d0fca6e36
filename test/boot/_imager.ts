import { pbkdf2Sync } from 'node:crypto'

/** What a person tells Raspberry Pi Imager about one card. */
export interface Customisation {
  hostname: string
  user: string
  /** For crypt(5). */
  passwordHash: string
  sshKey: string
  ssid: string
  passphrase: string
  country: string
  timezone: string
  keyboard: string
}

const quote = (value: string): string => `'${value.replaceAll("'", `'"'"'`)}'`

const mods = '/usr/lib/raspberrypi-sys-mods/imager_custom'
const onlyWith = (path: string, command: string, otherwise: readonly string[]): string[] => [
  `if [ -f ${path} ]; then`,
  `   ${command}`,
  'else',
  ...otherwise,
  'fi',
]

/**
 * The firstrun.sh that Raspberry Pi Imager 2 writes for `init_format: systemd`, line by line as
 * `CustomisationGenerator::generateSystemdScript` puts it together (src/customization_generator.cpp of rpi-imager).
 */
export const firstRunScript = (settings: Customisation): string => {
  const { hostname, user, passwordHash, sshKey, ssid, passphrase, country, timezone, keyboard } = settings
  const psk = pbkdf2Sync(passphrase, ssid, 4096, 32, 'sha1').toString('hex')
  return [
    '#!/bin/sh',
    '',
    'set +e',
    '',
    'CURRENT_HOSTNAME=$(cat /etc/hostname | tr -d " \\t\\n\\r")',
    ...onlyWith(mods, `${mods} set_hostname ${hostname}`, [
      `   echo ${hostname} >/etc/hostname`,
      `   sed -i "s/127.0.1.1.*$CURRENT_HOSTNAME/127.0.1.1\\t${hostname}/g" /etc/hosts`,
    ]),
    'FIRSTUSER=$(getent passwd 1000 | cut -d: -f1)',
    'FIRSTUSERHOME=$(getent passwd 1000 | cut -d: -f6)',
    ...onlyWith(mods, `${mods} enable_ssh -k ${quote(sshKey)}`, [
      '   install -o "$FIRSTUSER" -m 700 -d "$FIRSTUSERHOME/.ssh"',
      'cat > "$FIRSTUSERHOME/.ssh/authorized_keys" <<\'EOF\'',
      sshKey,
      'EOF',
      '   chown "$FIRSTUSER:$FIRSTUSER" "$FIRSTUSERHOME/.ssh/authorized_keys"',
      '   chmod 600 "$FIRSTUSERHOME/.ssh/authorized_keys"',
      "   echo 'PasswordAuthentication no' >>/etc/ssh/sshd_config",
      '   systemctl enable ssh',
    ]),
    ...onlyWith(
      '/usr/lib/userconf-pi/userconf',
      `/usr/lib/userconf-pi/userconf ${quote(user)} ${quote(passwordHash)}`,
      [
        `   echo "$FIRSTUSER:${passwordHash}" | chpasswd -e`,
        `   if [ "$FIRSTUSER" != "${user}" ]; then`,
        `      usermod -l "${user}" "$FIRSTUSER"`,
        `      usermod -m -d "/home/${user}" "${user}"`,
        `      groupmod -n "${user}" "$FIRSTUSER"`,
        '   fi',
      ],
    ),
    `if [ -f ${mods} ] && true; then`,
    `   ${mods} set_wlan ${quote(ssid)} ${quote(psk)} ${quote(country)}`,
    'else',
    "cat >/etc/wpa_supplicant/wpa_supplicant.conf <<'WPAEOF'",
    `country=${country}`,
    'WPAEOF',
    '   chmod 600 /etc/wpa_supplicant/wpa_supplicant.conf',
    '   rfkill unblock wifi',
    '   for filename in /var/lib/systemd/rfkill/*:wlan ; do',
    '       echo 0 > $filename',
    '   done',
    'fi',
    `if [ -f ${mods} ]; then`,
    `   ${mods} set_keymap ${quote(keyboard)}`,
    `   ${mods} set_timezone ${quote(timezone)}`,
    'else',
    '   rm -f /etc/localtime',
    `   echo "${timezone}" >/etc/timezone`,
    '   dpkg-reconfigure -f noninteractive tzdata',
    'fi',
    'rm -f /boot/firstrun.sh',
    "sed -i 's| systemd.run.*||g' /boot/cmdline.txt",
    'exit 0',
    '',
  ].join('\n')
}

/** What Imager appends to the kernel command line, which it trims (`DownloadThread::_customizeImage`). */
export const firstRunWords =
  ' systemd.run=/boot/firstrun.sh systemd.run_success_action=reboot systemd.unit=kernel-command-line.target'
