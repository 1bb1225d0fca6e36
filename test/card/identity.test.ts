import test from 'ava'
import { identityFiles, type MadeUp, makeIdentity } from '../../builder/card/identity.ts'
import type { ImageTakes } from '../../builder/card/image-takes.ts'
import { parseRoster } from '../../builder/card/roster.ts'
import { meshTakes, oldTakes, pubTakes, sshKey } from './_takes.ts'

const hash = '$y$j9T$abcdefghijklmnopqrstu/$GOBj9MnQX2XXRYb4Fyz9668D5epsKc/lpFQOxVhyXjA'
const made: MadeUp = {
  hostname: 'tami-roku',
  secrets: { password: 'bcdefghjknprstuv', hash, passphrase: 'vutsrpnkjhgfedcb' },
}
const unlabelled: MadeUp = { hostname: 'tami-roku', secrets: undefined }

const filesOf = (lines: readonly string[] | undefined, takes: ImageTakes, madeUp: MadeUp): Record<string, string> => {
  const card = lines && parseRoster(lines.join('\n'), 'cards.csv').cards[0]
  const files = identityFiles(makeIdentity(card, takes, madeUp))
  return Object.fromEntries([...files].map(([name, bytes]) => [name, bytes.toString()]))
}

const row = [
  'hostname,wifi,passphrase,country,keys,peers,user,portal.title',
  `alder,"Anna's; Café",river\\and;stones,DE,"${sshKey} ${sshKey}",tls://192.0.2.1:9001 tls://192.0.2.2:9001,ada,It's "here"`,
]

test('a node with an access point', (t) => {
  t.deepEqual(filesOf(row, meshTakes, made), {
    hostname: 'alder\n',
    authorized_keys: `${sshKey}\n${sshKey}\n`,
    settings:
      'portal.title=It\'s "here"\nyggdrasil.peers=tls://192.0.2.1:9001 tls://192.0.2.2:9001\naccess-point.country=DE\n',
    'one-time-password': `ada:${hash}\n`,
    'access-point': "ssid=Anna's; Café\npassphrase=river\\and;stones\n",
  })
})

test('a node that joins a network', (t) => {
  const files = filesOf(row, pubTakes, unlabelled)
  t.deepEqual(Object.keys(files).sort(), ['authorized_keys', 'hostname', 'settings', 'wifi'])
  t.is(files.wifi, "ssid=Anna's; Café\npassphrase=river\\and;stones\ncountry=DE\n")
  t.false(files.settings?.includes('country'))
  t.is(filesOf(['hostname,wifi', 'alder,Library'], pubTakes, made).wifi, 'ssid=Library\n')
})

test('without a roster everything is made up', (t) => {
  t.deepEqual(filesOf(undefined, meshTakes, made), {
    hostname: 'tami-roku\n',
    'one-time-password': `admin:${hash}\n`,
    'access-point': 'ssid=tami-roku\npassphrase=vutsrpnkjhgfedcb\n',
  })
  t.deepEqual(filesOf(undefined, pubTakes, made), {
    hostname: 'tami-roku\n',
    'one-time-password': `admin:${hash}\n`,
  })
})

test('what has no label to be printed on is not made', (t) => {
  t.deepEqual(filesOf(['hostname', 'alder'], meshTakes, unlabelled), { hostname: 'alder\n' })
})

test('an image that makes no user gets no password', (t) => {
  t.deepEqual(Object.keys(filesOf(undefined, oldTakes, made)).sort(), ['access-point', 'hostname'])
})

test('the password itself is not on the card', (t) => {
  t.false(
    Object.values(filesOf(row, meshTakes, made))
      .join()
      .includes(made.secrets?.password ?? ''),
  )
})

test('the name of the network comes from the card, its settings, the image, the host name, in this order', (t) => {
  const named: ImageTakes = {
    ...meshTakes,
    settings: new Map([...meshTakes.settings, ['access-point', new Map([['ssid', 'Of the image']])]]),
  }
  const ssid = (lines: readonly string[], takes: ImageTakes) =>
    filesOf(lines, takes, made)['access-point']?.split('\n')[0]
  t.is(ssid(['hostname', 'alder'], meshTakes), 'ssid=alder')
  t.is(ssid(['hostname', 'alder'], named), 'ssid=Of the image')
  t.is(ssid(['hostname,access-point.ssid', 'alder,Of the card'], named), 'ssid=Of the card')
  t.is(ssid(['hostname,wifi,access-point.ssid', 'alder,Given,Of the card'], named), 'ssid=Given')
})

test('an access point that is open gets no pass phrase', (t) => {
  const files = filesOf(['hostname,access-point.open', 'alder,true'], meshTakes, made)
  t.is(files['access-point'], 'ssid=alder\n')
})
