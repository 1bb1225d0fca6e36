import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { createMessage, generateKey, sign } from 'openpgp'
import { bootImage } from '../../builder/boot/boot.ts'
import { unpackKernel } from '../../builder/boot/kernel.ts'
import { hashFile } from '../../builder/core/digest.ts'
import { runTool } from '../../builder/host/sandbox.ts'
import { unpackedKey } from '../../builder/image/base.ts'
import { checkBase } from '../../builder/image/check.ts'
import { type BaseImage, extractBoot, inspectBase, mtoolsDrive } from '../../builder/image/open.ts'
import { readBaseFile } from '../../builder/image/status.ts'
import { lockPath, readLock } from '../../builder/lock/file.ts'
import { serveFiles } from '../fetch/server.ts'
import { type Checkout, makeCheckout } from '../support/checkout.ts'
import { leftovers } from '../support/leftovers.ts'
import { type LookAlike, makeLookAlike } from '../support/look-alike/build.ts'
import { realMirror } from '../support/mirror.ts'
import { tools } from '../support/tools.ts'

const isRoot = process.getuid?.() === 0
const mirror = await realMirror('trixie')
const reason = isRoot ? ('reason' in mirror ? mirror.reason : undefined) : 'baking needs root'
const test = anyTest.serial as TestFn
const ifReady = reason === undefined ? test : test.skip
const title = (text: string): string => (reason === undefined ? text : `${text} (${reason})`)

const name = 'raspios-lite-arm64'
const place = '/raspios_lite_arm64/images/raspios_lite_arm64-2026-01-02/2026-01-01-look-alike.img.xz'

let lookAlike: LookAlike
let checkout: Checkout

test.before(async (t) => {
  t.timeout(1_500_000)
  if (reason !== undefined) return
  lookAlike = await makeLookAlike()
  checkout = await makeCheckout()
  const { project } = checkout
  await mkdir(join(project.stages, 'greeting', 'checks'), { recursive: true })
  await mkdir(join(project.overlays, 'greeting', 'usr/share/greeting'), { recursive: true })
  await writeFile(join(project.overlays, 'greeting', 'usr/share/greeting/text'), 'good morning\n')
  const stage = ['name: greeting', 'version: 1.0.0', 'summary: Says good morning', 'description: Says good morning.']
  await writeFile(
    join(project.stages, 'greeting', 'stage.yaml'),
    [...stage, `packages: [${lookAlike.newerKernel}, qrencode]`, ''].join('\n'),
  )
  const profile = [
    'name: hut',
    'summary: One small stage',
    'stages: [first-boot, greeting]',
    'image: {marginMiB: 64}',
    '',
  ]
  await writeFile(join(project.profiles, 'hut.yaml'), profile.join('\n'))
})
test.after.always(() => checkout?.remove())

/** Serve a catalogue with the look-alike in it and its signature; the environment that leads pibake there. */
const publish = async (t: Parameters<typeof serveFiles>[0]): Promise<{ env: string[]; asked: string[] }> => {
  const { image, archive } = lookAlike
  const bytes = await readFile(archive)
  const key = await generateKey({ type: 'rsa', rsaBits: 2048, userIDs: [{ name: 'Look-alike' }], format: 'object' })
  const message = await createMessage({ binary: bytes })
  const signature = await sign({ message, signingKeys: key.privateKey, detached: true, format: 'binary' })
  const files = new Map<string, Buffer>([
    [place, bytes],
    [`${place}.sig`, Buffer.from(signature as Uint8Array)],
  ])
  const server = await serveFiles(t, files)
  const entry = {
    name: 'Look-alike of Raspberry Pi OS Lite (64-bit)',
    description: 'Made of Debian packages for a test',
    icon: '',
    url: `${server.address}${place}`,
    extract_size: image.sizeBytes,
    extract_sha256: image.sha256,
    image_download_size: bytes.length,
    image_download_sha256: await hashFile(archive),
    release_date: '2026-01-02',
    devices: ['pi4-64bit'],
  }
  files.set('/os_list.json', Buffer.from(JSON.stringify({ os_list: [entry] })))
  const keys = join(checkout.project.root, 'keys.asc')
  await writeFile(keys, key.publicKey.armor())
  const env = [
    'env',
    'no_proxy=127.0.0.1',
    `PIBAKE_CATALOGUE=${server.address}/os_list.json`,
    `PIBAKE_BASE_KEYS=${keys}`,
  ]
  return { env, asked: server.requests }
}

const namesOf = ({ diskId, boot, root }: BaseImage) => ({
  diskId,
  boot: [boot.partuuid, boot.offsetBytes, boot.sizeBytes, boot.fat.label, boot.fat.volumeId, boot.fat.clusterBytes],
  root: [root.partuuid, root.offsetBytes, root.ext4.label, root.ext4.uuid, root.ext4.features],
})

/** The release of the kernel on a boot partition, and those of the modules in the initramfs beside it. */
const readKernelPair = async (folder: string) => {
  const { bytes } = unpackKernel(await readFile(join(folder, 'kernel8.img')), 'kernel8.img')
  const start = bytes.indexOf('Linux version ')
  // Modules, which are compressed themselves, come first and as they are (mkinitramfs(8) of trixie).
  const initramfs = (await readFile(join(folder, 'initramfs8'))).toString('latin1')
  return {
    kernel: /^Linux version (\S+)/.exec(bytes.toString('latin1', start, start + 200))?.[1],
    modules: [
      ...new Set([...initramfs.matchAll(/usr\/lib\/modules\/([^/\0]+)\/kernel\//g)].map(([, release]) => release)),
    ],
  }
}

ifReady(
  title('the look-alike of Raspberry Pi OS: catalogue, download, signature, bake; it stays itself'),
  async (t) => {
    t.timeout(900_000)
    const { env, asked } = await publish(t)
    const { project, runJson } = checkout
    const listed = await runJson(['bases'], { wrap: env })
    t.is(listed.exitCode, 0, listed.stderr)
    t.deepEqual(
      JSON.parse(listed.stdout).map((image: { name: string }) => image.name),
      [name],
    )

    const baked = await runJson(['--profile', 'hut', '--base', name], { wrap: env })
    t.is(baked.exitCode, 0, baked.stderr.slice(-4000))
    const image = join(project.images, `hut-on-${name}.img`)
    t.is(String(await hashFile(image)), String(baked.data.sha256))
    t.deepEqual(
      asked.filter((path) => !path.includes('os_list')),
      [place, `${place}.sig`],
    )
    const base = (await readLock(lockPath(project.locks, `hut-on-${name}`)))?.base
    t.is(String(base?.archive.sha256), String(await hashFile(lookAlike.archive)))
    t.is(String(base?.image.sha256), lookAlike.image.sha256)
    t.regex(base?.signedBy ?? '', /^[0-9A-F]{40}$/)

    const unpacked = join(project.cache, 'derived', unpackedKey(await hashFile(lookAlike.archive)), 'file')
    const [before, after] = [await inspectBase(unpacked), await inspectBase(image)]
    t.deepEqual(namesOf(after), namesOf(before))
    t.true(after.root.ext4.features?.includes('orphan_file'))
    await t.notThrowsAsync(checkBase({ tools, path: image, label: 'hut', scratch: project.work }))
    const { stdout } = await runTool(tools, ['sfdisk', '--verify', image], { readOnly: [image] })
    t.regex(stdout, /No errors detected/)
    const [bootBefore, bootAfter] = [join(project.root, 'boot-before'), join(project.root, 'boot-after')]
    await extractBoot({ tools, image: before, destination: bootBefore })
    await extractBoot({ tools, image: after, destination: bootAfter })
    for (const file of ['cmdline.txt', 'config.txt', 'user-data', 'meta-data', 'network-config']) {
      t.is(await readFile(join(bootAfter, file), 'utf8'), await readFile(join(bootBefore, file), 'utf8'), file)
    }
    t.regex(await readFile(join(bootAfter, 'cmdline.txt'), 'utf8'), / root=PARTUUID=6c6f6f6b-02 .* resize$/m)

    const release = lookAlike.newerKernel.replace('linux-image-', '')
    t.deepEqual(await readKernelPair(bootAfter), { kernel: release, modules: [release] })
    t.not((await readKernelPair(bootBefore)).kernel, release)
    const initramfs = '/etc/initramfs-tools'
    t.regex(await readBaseFile(tools, image, `${initramfs}/initramfs.conf`), /^MODULES=dep$/m)
    t.is(await readBaseFile(tools, image, `${initramfs}/conf.d/zz-pibake`), '\n')
    t.is((await readBaseFile(tools, image, '/etc/machine-id')).trim(), 'uninitialized')
    t.is(await readBaseFile(tools, image, '/etc/fstab'), await readBaseFile(tools, unpacked, '/etc/fstab'))
    t.regex(await readBaseFile(tools, image, '/etc/hosts'), /^127\.0\.1\.1\s+hut$/m)
    t.deepEqual(await leftovers(project.root), [])

    const again = await runJson(['--profile', 'hut', '--base', name, '--offline'])
    t.is(again.data.ran, 0, again.stderr)
  },
)

/** An SHA-512 crypt of nothing in particular. */
const hash = '$6$look.alike$1o5b9vyV5bJk0X8W9wYp2tq4pQxgZb1u7S3m0nE6rT2cH8dL4fK7jA5sD3gF1hJ9kL0zXcVbNmQwErTyUiOp/'
const customisation: Readonly<Record<string, string>> = {
  'userconf.txt': `keeper:${hash}\n`,
  ssh: '',
  'network-config': [
    'network:',
    '  version: 2',
    '  wifis:',
    '    wlan0:',
    '      dhcp4: true',
    '      optional: true',
    '      access-points:',
    '        "village":',
    '          password: "correct horse"',
    '',
  ].join('\n'),
}

/**
 * An access point with that network, on the second of two simulated radios; the first is the card's own. networkd gives
 * addresses on it, which is no interface of ours.
 */
const accessPoint = [
  'modprobe mac80211_hwsim radios=2',
  'for second in $(seq 30); do nmcli device set wlan1 managed no && break; sleep 1; done',
  "printf '[Match]\\nName=wlan1\\n[Network]\\nAddress=10.9.9.1/24\\nDHCPServer=yes\\n[DHCPServer]\\nDNS=10.9.9.1\\n' >/run/systemd/network/10-village.network",
  'networkctl reload',
  'umask 077',
  'cat >/run/ap.conf <<END',
  'network={',
  '	ssid="village"',
  '	mode=2',
  '	frequency=2412',
  '	key_mgmt=WPA-PSK',
  '	psk="correct horse"',
  '}',
  'END',
  'wpa_supplicant -B -i wlan1 -c /run/ap.conf',
  "timeout 180 sh -c 'until nmcli -g GENERAL.STATE device show wlan0 | grep -q ^100; do sleep 1; done'",
  'iw dev wlan0 link; nmcli -g IP4.ADDRESS device show wlan0; cat /etc/resolv.conf; nmcli device',
].join('\n')

ifReady(
  title('its first boot grows the root, makes identities of its own, and honours what is on the boot partition'),
  async (t) => {
    t.timeout(1_800_000)
    const { project } = checkout
    const image = join(project.images, `hut-on-${name}.img`)
    const { boot, diskId, root: rootBefore } = await inspectBase(image)
    for (const [file, text] of Object.entries(customisation)) {
      const path = join(project.root, file)
      await writeFile(path, text)
      const copy = ['mcopy', '-o', '-i', mtoolsDrive(image, boot.offsetBytes), path, '::']
      await runTool(tools, copy, { readOnly: [path], writable: [image], env: { MTOOLS_SKIP_CHECK: '1' } })
    }
    const request = {
      tools,
      image,
      board: 'virt' as const,
      emit: () => {},
      scratch: project.root,
      timeoutMs: 1_500_000,
    }
    await using guest = await bootImage(request)
    const ask = async (script: string): Promise<string> =>
      (await guest.run(script, { timeoutMs: 240_000 })).output.trim()

    t.is(await ask('ls /usr/lib/modules | sort -V | tail -n 1'), await ask('uname -r'))
    t.is(
      await ask('cat /usr/share/greeting/text; dpkg -S /usr/share/greeting/text'),
      'good morning\npibake-greeting: /usr/share/greeting/text',
    )
    const [disk = 0, partition = 0, fileSystem = 0] = (
      await ask('lsblk -bndo SIZE /dev/vda; lsblk -bndo SIZE /dev/vda2; df -B1 --output=size / | tail -1')
    )
      .split('\n')
      .map(Number)
    t.true(disk - partition - rootBefore.offsetBytes < 8 << 20, `disk ${disk}, partition ${partition}`)
    t.true(partition > rootBefore.sizeBytes + (900 << 20), 'the partition has grown')
    t.true(fileSystem > partition * 0.9, `the file system has grown: ${fileSystem} of ${partition}`)

    const fresh = (await ask('sfdisk --disk-id /dev/vda')).replace(/^0x/, '')
    t.regex(fresh, /^[0-9a-f]{8}$/)
    t.not(fresh, diskId)
    t.regex(await ask('cat /boot/firmware/cmdline.txt'), new RegExp(`root=PARTUUID=${fresh}-02 .*rootwait$`))
    t.is((await ask('cat /etc/fstab')).match(new RegExp(`PARTUUID=${fresh}-0[12] `, 'g'))?.length, 2)
    t.regex(await ask('cat /etc/machine-id'), /^[0-9a-f]{32}$/)

    t.is(
      await ask('getent shadow keeper | cut -d: -f2; getent passwd pi || echo gone; ls -d /home/keeper'),
      `${hash}\ngone\n/home/keeper`,
    )
    t.is(
      await ask('systemctl is-active ssh.service; systemctl is-enabled ssh.service; ls /etc/ssh/ssh_host_ed25519_key'),
      'active\nenabled\n/etc/ssh/ssh_host_ed25519_key',
    )
    t.is(await ask('ls /boot/firmware/ssh /boot/firmware/userconf.txt 2>/dev/null | wc -l'), '0')

    for (const check of ['hostname', 'machine-id', 'root-grown', 'clock', 'wired-address']) {
      const { exitCode, output } = await guest.run(`/usr/lib/pibake/checks/first-boot/${check}`, { timeoutMs: 240_000 })
      t.is(exitCode, 0, `${check}: ${output}`)
    }
    t.is(await ask('systemctl is-active NetworkManager.service systemd-networkd.service'), 'active\nactive')
    const [wired = ''] = (await ask('nmcli -t -f DEVICE,TYPE,STATE device | grep :ethernet:connected$')).split(':')
    t.regex(await ask(`networkctl status ${wired}`), /State: .*\(unmanaged\)/)
    t.is((await ask(`ip -o -4 addr show dev ${wired}`)).split('\n').length, 1)
    // On a busy machine, NetworkManager has been seen to answer nothing so soon after the boot.
    const show = 'nmcli -s -g connection.type,802-11-wireless-security.psk connection show netplan-wlan0-village'
    const stored = await ask(`timeout 60 sh -c 'until ${show} | grep horse; do sleep 1; done'; ${show}`)
    t.regex(stored, /^802-11-wireless\ncorrect horse$/m)
    const joined = await ask(accessPoint)
    t.regex(joined, /SSID: village$/m)
    t.regex(joined, /^10\.9\.9\.\d+\/24$/m)
    t.regex(joined, /^# Generated by NetworkManager\nnameserver 10\.9\.9\.1$/m)
    await guest.poweroff()
  },
)
