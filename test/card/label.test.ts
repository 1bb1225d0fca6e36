import test from 'ava'
import { makeIdentity } from '../../builder/card/identity.ts'
import type { ImageTakes } from '../../builder/card/image-takes.ts'
import { type Label, labelOf, wifiCode } from '../../builder/card/label.ts'
import { renderLabels } from '../../builder/card/labels-page.ts'
import { renderQr } from '../../builder/card/qr-svg.ts'
import { parseRoster } from '../../builder/card/roster.ts'
import { findCodes, readQrSvg } from './_qr.ts'
import { meshTakes, pubTakes } from './_takes.ts'

const secrets = { password: 'bcdefghjknprstuv', hash: '$y$x', passphrase: 'vutsrpnkjhgfedcb' }

const label = (lines: readonly string[] | undefined, takes: ImageTakes): Label => {
  const card = lines && parseRoster(lines.join('\n'), 'cards.csv').cards[0]
  return labelOf(makeIdentity(card, takes, { hostname: 'tami-roku', secrets }), takes)
}

test('a node with an access point is found by its own address', (t) => {
  t.deepEqual(label(['hostname,role', 'alder,At the gate'], meshTakes), {
    hostname: 'alder',
    role: 'At the gate',
    addresses: ['alder.local', 'alder.mesh'],
    portal: 'http://10.43.0.1/',
    wifi: { ssid: 'alder', passphrase: secrets.passphrase },
    login: { user: 'admin', password: secrets.password },
  })
})

test('settings of the card count', (t) => {
  const lines = ['hostname,access-point.address,access-point.domain', 'alder,10.99.0.1,orchard']
  t.like(label(lines, meshTakes), { portal: 'http://10.99.0.1/', addresses: ['alder.local', 'alder.orchard'] })
})

test('without an access point it is found by its name, if it answers to that', (t) => {
  const withNames = { ...pubTakes, stages: new Set([...pubTakes.stages, 'avahi']) }
  t.like(label(undefined, withNames), { portal: 'http://tami-roku.local/', addresses: ['tami-roku.local'] })
  const lines = ['hostname,wifi', 'alder,Library']
  t.like(label(lines, pubTakes), { portal: undefined, addresses: [], wifi: { ssid: 'Library', passphrase: '' } })
})

const wifiCodes: readonly [ssid: string, passphrase: string, code: string][] = [
  ['orchard', 'river and stones', 'WIFI:T:WPA;S:orchard;P:river and stones;;'],
  ['Café; "mesh"', 'a\\b;c,d:e"f', 'WIFI:T:WPA;S:Café\\; \\"mesh\\";P:a\\\\b\\;c\\,d\\:e\\"f;;'],
  ['Library', '', 'WIFI:T:nopass;S:Library;;'],
]
for (const [ssid, passphrase, code] of wifiCodes) {
  test(`the code that joins ${ssid}`, (t) => t.is(wifiCode({ ssid, passphrase }), code))
}

test('codes are read by another library', (t) => {
  const texts = [...wifiCodes.map(([, , code]) => code), 'http://10.43.0.1/', 'x', 'ä'.repeat(32), 'z'.repeat(300)]
  for (const text of texts) t.is(readQrSvg(renderQr(text, 'x').markup), text)
})

test('a sheet has all of each card, as text and as codes', (t) => {
  const lines = ['hostname,role,wifi,passphrase', 'alder,Gate & <b>yard</b>,"Anna\'s; ""Café""",river\\stones;1']
  const page = renderLabels([label(lines, meshTakes), label(undefined, meshTakes)], 'mesh.img')
  t.deepEqual(findCodes(page), [
    { title: 'QR code: Join the Wi-Fi', text: 'WIFI:T:WPA;S:Anna\'s\\; \\"Café\\";P:river\\\\stones\\;1;;' },
    { title: 'QR code: Open the front page', text: 'http://10.43.0.1/' },
    { title: 'QR code: Join the Wi-Fi', text: 'WIFI:T:WPA;S:tami-roku;P:vutsrpnkjhgfedcb;;' },
    { title: 'QR code: Open the front page', text: 'http://10.43.0.1/' },
  ])
  t.is(page.match(/<article>/g)?.length, 2)
  t.true(page.includes('Gate &amp; &lt;b&gt;yard&lt;/b&gt;'))
  t.true(page.includes('<code>Anna&#39;s; &quot;Café&quot;</code>'))
  t.true(page.includes('<code>ssh admin@alder.local</code>'))
  t.true(page.includes('<span>bcde</span><span>fghj</span><span>knpr</span><span>stuv</span>'))
})

test('a sheet loads nothing and runs nothing', (t) => {
  const page = renderLabels([label(undefined, meshTakes)], 'mesh.img')
  t.notRegex(page, /<script|\bsrc=|\burl\(|@import|<link|<form/i)
  t.true(page.includes(`content="default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;"`))
})

test('a card of which little is known has a label too', (t) => {
  const page = renderLabels(
    [labelOf(makeIdentity(undefined, pubTakes, { hostname: 'tami-roku', secrets: undefined }), pubTakes)],
    'pub.img',
  )
  t.true(page.includes('<h2>tami-roku</h2>'))
  t.notRegex(page, /<svg|<dl|undefined/)
})
