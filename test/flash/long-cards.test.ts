import test, { type ExecutionContext } from 'ava'
import { bakedImage, whyNoImage } from '../boot/_image.ts'
import { noDevices } from '../support/block-device.ts'
import { readQrPicture } from '../support/qr-picture.ts'
import { findChromium } from '../support/web-tools.ts'
import { factsOf, holdKeys, holdLogin, holdName, makeSshKey } from './_holds.ts'
import { bootPair } from './_pair.ts'
import { openPhone } from './_phone.ts'
import { networkOf, readWifiCode, toHex } from './_wifi-code.ts'

const chromium = await findChromium()
const why = noDevices ?? (chromium === undefined ? 'no Chromium to read labels with' : undefined)

/** A test of an image of that profile, or the reason why it cannot be. */
const cardTest = (profile: string, title: string, body: (t: ExecutionContext) => Promise<void>): void => {
  const reason = whyNoImage(profile) ?? why
  if (reason === undefined) test.serial(title, body)
  else test.serial.skip(`${title} (${reason})`, body)
}

const [ada, bob] = [makeSshKey('ada@desk'), makeSshKey('bob@desk')]

/** What became of the files on the boot partition. */
const boot = '/boot/firmware/'
const left = `ls ${boot} | grep -Ex "hostname|authorized_keys|access-point|settings|wifi|one-time-password" || echo none left`

/** The node writes its page anew each minute. */
const waitPage = 'for second in $(seq 180); do [ -e /run/pibake-portal/qr/wifi.svg ] && break; sleep 1; done'

cardTest('mesh', 'two cards of one roster open Wi-Fi of their own, as their labels say', async (t) => {
  t.timeout(3_600_000)
  const roster = [
    'hostname,role,wifi,passphrase,keys,peers,user,portal.title',
    `alder,At the gate,"Anna's; ""Café""","river\\and, stones",${ada.line},tls://192.0.2.1:9001,ada,"The ""orchard"", it's"`,
    `birch,,,,${bob.line},,,`,
  ]
  const pair = await bootPair(t, { image: await bakedImage('mesh'), roster, chromium: chromium ?? '' })
  const { browser, first: alder, second: birch } = pair

  const asked = [
    'sort -u /root/.ssh/authorized_keys',
    '. /etc/pibake/yggdrasil.conf; echo "$PEERS"',
    '. /etc/pibake/portal.conf; echo "$TITLE"',
    "stat -c '%U %a' /var/lib/pibake/access-point/card",
    left,
    'getent passwd ada admin | cut -d: -f1',
  ].join('\n')
  const own = [ada.line, 'tls://192.0.2.1:9001', `The "orchard", it's`, 'root 600', 'none left', 'ada']
  t.is(await alder.say(asked), own.join('\n'))
  t.is(await birch.say(asked), [bob.line, '', '', 'root 600', 'none left', 'admin'].join('\n'))
  t.deepEqual(factsOf(alder, 'Wi-Fi'), [`Anna's; "Café"`])
  t.deepEqual(factsOf(alder, 'Pass phrase'), ['river\\and, stones'])
  t.deepEqual(factsOf(birch, 'Wi-Fi'), ['birch'])

  const cards = [
    { card: alder, other: birch, user: 'ada', own: ada, foreign: bob },
    { card: birch, other: alder, user: 'admin', own: bob, foreign: ada },
  ]
  for (const { card, other, user, ...keys } of cards) {
    const { hostname, codes } = card.label
    await holdName(t, card, other)
    await holdKeys(t, { card, other, ...keys })

    const [ssid = ''] = factsOf(card, 'Wi-Fi')
    const [passphrase = ''] = factsOf(card, 'Pass phrase')
    const code = readWifiCode(codes[0])
    t.deepEqual(code, { type: 'WPA', ssid, passphrase })
    if (!code) return
    t.is(
      await card.say("sed -n 's/^ssid2=//p; s/^wpa_passphrase=//p' /run/pibake-access-point/wlan0.hostapd"),
      `${toHex(ssid)}\n${passphrase}`,
    )
    t.regex(await card.say('iw dev wlan0 info'), /^\s*type AP$/m)
    await card.say(waitPage, 240_000)

    const phone = await openPhone(t, card, 'wlan1')
    const [foreign] = factsOf(other, 'Pass phrase')
    t.is(await phone.join({ ...code, passphrase: foreign }), 'the pass phrase is wrong')
    t.is(await phone.join(code), undefined)
    t.like(await phone.lease(), { NAMESERVER: '10.43.0.1', DOMAIN: 'mesh' })
    t.deepEqual(factsOf(card, 'Found as'), [`${hostname}.local`, `${hostname}.mesh`])
    t.is(await phone.resolve(`${hostname}.mesh`), '10.43.0.1')
    t.is(await phone.find(`${hostname}.local`), '10.43.0.1')

    t.is(codes[1], 'http://10.43.0.1/')
    t.deepEqual(factsOf(card, 'Front page'), [codes[1]])
    const front = new URL(codes[1] ?? '')
    const page = await phone.fetch(front)
    t.true(page.includes(`<p class="host">${hostname}</p>`), page.slice(0, 3000))
    t.is(page.includes('orchard'), card === alder, 'the heading that the roster has for one of them')
    const status = JSON.parse(await phone.fetch(new URL('/status', front)))
    t.is(status.host, hostname)
    t.true(status.addresses.includes(front.hostname), status.addresses.join())

    // The code that the node itself shows, drawn by another program.
    const picture = await phone.fetch(new URL('/qr/wifi.svg', front))
    await using shown = await browser.newPage()
    await shown.setContent(picture.slice(picture.indexOf('<svg')))
    t.is(await readQrPicture(browser, await shown.locator('svg').screenshot()), codes[0])
    await phone.off()

    await holdLogin(t, card, other, user)
  }
})

/** What wpa_supplicant of the node is to join, and whether it has. */
const joins = [
  "grep -E '^(country|\tssid|\tpsk|\tkey_mgmt)=' /etc/wpa_supplicant/wpa_supplicant-wlan0.conf | tr -d '\t'",
  'stat -c "%U %a" /etc/wpa_supplicant/wpa_supplicant-wlan0.conf',
  left,
].join('\n')

/** The radio of the village comes up; when the node has joined it, its address there. */
const waitJoined = [
  '/root/village wlan1 >/run/village/log 2>&1 || cat /run/village/log',
  'for second in $(seq 240); do ip -4 -o address show dev wlan0 | grep -q " 10\\.9\\.9" && break; sleep 1; done',
  "ip -4 -o address show dev wlan0 | awk '{print $4}' | grep -v ^169",
].join('\n')

cardTest(
  'mirror',
  'two cards of one roster join the Wi-Fi that is written for each, and labels lead there',
  async (t) => {
    t.timeout(3_600_000)
    const school = { type: 'WPA', ssid: `Anna's; "Café"`, passphrase: 'river\\and, "stones";' }
    const library = { type: 'nopass', ssid: 'Library', passphrase: undefined }
    const roster = [
      'hostname,role,wifi,passphrase,country,keys,user',
      `alder,At the gate,"Anna's; ""Café""","river\\and, ""stones"";",DE,${ada.line},ada`,
      `birch,,Library,,,${bob.line},`,
    ]
    const pair = await bootPair(t, { image: await bakedImage('mirror'), roster, chromium: chromium ?? '' })
    const { first: alder, second: birch } = pair
    const own = ['country=DE', `ssid=${toHex(school.ssid)}`, 'key_mgmt=WPA-PSK SAE', `psk="${school.passphrase}"`]
    t.is(await alder.say(joins), [...own, 'root 600', 'none left'].join('\n'))
    t.is(await birch.say(joins), [`ssid=${toHex('Library')}`, 'key_mgmt=NONE', 'root 600', 'none left'].join('\n'))

    const cards = [
      { card: alder, other: birch, user: 'ada', own: ada, foreign: bob, network: school, management: 'WPA2-PSK' },
      { card: birch, other: alder, user: 'admin', own: bob, foreign: ada, network: library, management: 'NONE' },
    ]
    for (const { card, other, user, network, management, ...keys } of cards) {
      const { hostname, codes } = card.label
      await holdName(t, card, other)
      await holdKeys(t, { card, other, ...keys })

      await card.say('mkdir -p /run/village')
      const village = networkOf(network, ['mode=2', 'frequency=2412'])
      await card.guest.push('/run/village/wpa.conf', Buffer.from(village), 0o600)
      const address = await card.say(waitJoined, 420_000)
      t.regex(address, /^10\.9\.9\.\d+\/24$/)
      const state = await card.say('wpa_cli -i wlan0 status')
      t.regex(state, /^wpa_state=COMPLETED$/m)
      t.true(state.includes(`\nkey_mgmt=${management}\n`), state)

      const code = readWifiCode(codes[0])
      t.deepEqual(code, network)
      if (!code) return
      t.deepEqual(factsOf(card, 'Wi-Fi'), [network.ssid])
      t.deepEqual(factsOf(card, 'Pass phrase'), network.passphrase === undefined ? [] : [network.passphrase])
      const phone = await openPhone(t, card, 'wlan2')
      t.is(await phone.join(code), undefined)
      t.like(await phone.lease(), { NAMESERVER: '10.9.9.1' })
      t.deepEqual(factsOf(card, 'Found as'), [`${hostname}.local`])
      t.is(`${await phone.find(`${hostname}.local`)}/24`, address)
      t.is(codes[1], `http://${hostname}.local/`)
      t.deepEqual(factsOf(card, 'Front page'), [codes[1]])
      const page = await phone.fetch(new URL(codes[1] ?? ''))
      t.true(page.includes(`<p class="host">${hostname}</p>`), page.slice(0, 3000))
      await phone.off()

      await holdLogin(t, card, other, user)
    }
  },
)
