import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { bootImage } from '../../builder/boot/boot.ts'
import { startMachine } from '../../builder/boot/qemu.ts'
import { runCommand } from '../../builder/host/command.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { tools } from '../support/tools.ts'
import { type BootPartition, keepWrites, openBootPartition } from './_disk.ts'
import { bakedImage, bootFolder, noImage } from './_image.ts'
import { firstRunScript, firstRunWords } from './_imager.ts'

const realTest = noImage === undefined ? test.serial : test.serial.skip
const title = (name: string): string => (noImage === undefined ? name : `${name} (${noImage})`)

const password = 'correct horse'
const settings = {
  hostname: 'imager-node',
  user: 'ada',
  sshKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ada@desk',
  ssid: "Anna's Café",
  passphrase: 'eight or more',
  country: 'DE',
  timezone: 'Europe/Berlin',
  keyboard: 'de',
}

/** A copy of the image with what Imager writes onto its boot partition after it has written the image. */
const customise = async (folder: string): Promise<{ disk: string; partition: BootPartition; cmdline: string }> => {
  const disk = join(folder, 'card.img')
  await runCommand(['cp', '--sparse=always', '--reflink=auto', await bakedImage(), disk])
  const partition = await openBootPartition(disk)
  const cmdline = (await partition.read('cmdline.txt')).trim()
  const { stdout: passwordHash } = await runTool(tools, ['openssl', 'passwd', '-5', '-salt', 'saltsalt', password])
  await partition.write('firstrun.sh', firstRunScript({ ...settings, passwordHash }))
  await partition.write('cmdline.txt', `${cmdline}${firstRunWords}`)
  return { disk, partition, cmdline }
}

/** Boot the card until it restarts by itself, and leave on it what it had on its disk then. */
const bootOnce = async (t: ExecutionContext, folder: string, disk: string): Promise<void> => {
  const writeLog = join(folder, 'writes.log')
  const serial: Buffer[] = []
  await using machine = await startMachine({ tools, image: disk, board: 'virt', scratch: folder, writeLog })
  machine.process.stdout.on('data', (chunk: Buffer) => serial.push(chunk))
  const ended = await Promise.race([machine.ended, sleep(600_000, undefined, { ref: false })])
  const tail = Buffer.concat(serial).toString().split('\n').slice(-40).join('\n')
  t.is(ended?.exitCode, 0, `it does not restart:\n${tail}`)
  t.regex(tail, /reboot: Restarting system/)
  await keepWrites(disk, writeLog)
}

/**
 * An access point with Imager's network, on the second of two simulated radios; the first is the card's own. networkd gives
 * addresses on it, to the card's as well.
 */
const wifi = [
  'mkdir -p /run/systemd/network',
  "printf '[Match]\\nName=wlan1\\n[Network]\\nAddress=10.9.9.1/24\\nDHCPServer=yes\\n' >/run/systemd/network/10-village.network",
  'networkctl reload',
  'modprobe mac80211_hwsim radios=2',
  'umask 077',
  'cat >/run/ap.conf <<END',
  'ctrl_interface=DIR=/run/wpa_supplicant',
  'network={',
  `	ssid="${settings.ssid}"`,
  '	mode=2',
  '	frequency=2412',
  '	key_mgmt=WPA-PSK',
  '	pairwise=CCMP',
  '	proto=RSN',
  `	psk="${settings.passphrase}"`,
  '}',
  'END',
  'wpa_supplicant -B -i wlan1 -c /run/ap.conf',
  'for second in $(seq 120); do wpa_cli -i wlan0 status | grep -qx wpa_state=COMPLETED && break; sleep 1; done',
  'wpa_cli -i wlan0 status; systemctl --no-pager status wpa_supplicant@wlan0',
  'for second in $(seq 60); do ip -4 -o address show dev wlan0 | grep " 10\\.9\\.9\\." && break; sleep 1; done',
].join('\n')

realTest(title("what Raspberry Pi Imager writes is carried out at the card's first boot"), async (t) => {
  t.timeout(1_800_000)
  const folder = await bootFolder(t)
  const { disk, partition, cmdline } = await customise(folder)
  await bootOnce(t, folder, disk)

  t.is((await partition.read('cmdline.txt')).trim(), cmdline)
  t.false((await partition.list()).includes('firstrun.sh'), 'the file with the passwords is gone')

  await using guest = await bootImage({ tools, image: disk, board: 'virt', scratch: folder, emit: () => undefined })
  const say = async (script: string, timeoutMs = 60_000): Promise<string> =>
    (await guest.run(script, { timeoutMs })).output.trim()
  t.is(guest.state, 'running', await say('systemctl --failed --no-legend'))
  t.is(await say('cat /proc/sys/kernel/hostname; grep -c imager-node /etc/hosts'), 'imager-node\n1')
  t.regex(await say('id ada'), /^uid=1000\(ada\) .*\(sudo\)/)
  t.is(
    await say('cat ~ada/.ssh/authorized_keys; stat -c "%a %U" ~ada/.ssh/authorized_keys'),
    `${settings.sshKey}\n600 ada`,
  )
  t.is(await say(`echo '${password}' | runuser -u ada -- sudo -S -k -p '' id -u`), '0')
  t.not((await guest.run("echo wrong | runuser -u ada -- sudo -S -k -p '' id -u")).exitCode, 0)
  t.regex(await say('sshd -T -C user=ada | tr A-Z a-z'), /^passwordauthentication no$/m)
  t.is(
    await say('readlink /etc/localtime; . /etc/default/keyboard; echo $XKBLAYOUT'),
    '/usr/share/zoneinfo/Europe/Berlin\nde',
  )
  t.is(await say('stat -c %a /etc/wpa_supplicant/wpa_supplicant-wlan0.conf'), '600')
  const joined = await say(wifi, 240_000)
  t.regex(joined, /^wpa_state=COMPLETED$/m)
  t.regex(joined, /^key_mgmt=WPA2-PSK$/m)
  t.true(joined.includes('Active: active'), joined)
  t.regex(joined, /wlan0 +inet 10\.9\.9\.\d+\/24/)
})
