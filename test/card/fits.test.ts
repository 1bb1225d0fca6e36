import test from 'ava'
import { assertFits } from '../../builder/card/fits.ts'
import type { ImageTakes } from '../../builder/card/image-takes.ts'
import { parseRoster } from '../../builder/card/roster.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { meshTakes, oldTakes, pubTakes, sshKey } from './_takes.ts'

const without = (takes: ImageTakes, ...gone: readonly string[]): ImageTakes => ({
  ...takes,
  stages: new Set([...takes.stages].filter((name) => !gone.includes(name))),
  settings: new Map([...takes.settings].filter(([name]) => !gone.includes(name))),
})

interface Case {
  lines: readonly string[]
  takes: ImageTakes
  hasLabels?: boolean
  expected?: readonly string[]
}

const fits = test.macro((t, { lines, takes, hasLabels = false, expected = [] }: Case) => {
  const check = () => assertFits(parseRoster(lines.join('\n'), 'cards.csv'), takes, { hasLabels })
  if (expected.length === 0) return t.notThrows(check)
  const error = t.throws(check, { instanceOf: PibakeError })
  t.deepEqual(
    error?.details,
    expected.map((line) => `cards.csv:${line}`),
  )
})

const all = [
  'hostname,wifi,passphrase,country,keys,peers,user,portal.title,access-point.channel,first-boot.hostname-suffix',
  `alder,Square,river and stones,DE,${sshKey},tls://192.0.2.1:9001,ada,Hello,11,false`,
]
test('all that an image takes', fits, { lines: all, takes: meshTakes, hasLabels: true })
test('a name alone goes to any image, also an old one', fits, { lines: ['hostname', 'alder'], takes: oldTakes })
test('a network to join', fits, { lines: ['hostname,wifi', 'alder,Library'], takes: pubTakes })
test('an access point that the image opens to everyone', fits, {
  lines: ['hostname,wifi', 'alder,Square'],
  takes: { ...meshTakes, settings: new Map([['access-point', new Map([['open', 'true']])]]) },
})
test('an access point that the card opens to everyone', fits, {
  lines: ['hostname,wifi,access-point.open', 'alder,Square,true'],
  takes: meshTakes,
})
test('a made pass phrase', fits, { lines: ['hostname,wifi', 'alder,Square'], takes: meshTakes, hasLabels: true })
test('an old image takes what its stages took before', fits, {
  lines: ['hostname,wifi,passphrase,keys', `alder,Square,river and stones,${sshKey}`],
  takes: oldTakes,
})

test('settings that the image does not have', fits, {
  lines: [
    'hostname,portal.titel,mumble.welcome,access-point.channel,first-boot.hostname-suffix',
    'alder,x,x,six,no',
    'birch,,,,',
  ],
  takes: meshTakes,
  expected: [
    '2:7: the stage `portal` has no setting `titel` — did you mean `title`?',
    '2:9: the image has no stage `mumble`',
    '2:11: `access-point.channel` is a number',
    '2:15: `first-boot.hostname-suffix` is `true` or `false`',
  ],
})
test('settings of an image that lets no card change one', fits, {
  lines: ['hostname,peers,country', 'alder,tls://192.0.2.1:9001,DE'],
  takes: oldTakes,
  expected: ['2:7', '2:28'].map(
    (at) => `${at}: this image lets no card change a setting; bake it again with this pibake`,
  ),
})
test('peers without yggdrasil', fits, {
  lines: ['hostname,peers', 'alder,tls://192.0.2.1:9001'],
  takes: without(meshTakes, 'yggdrasil'),
  expected: ['2:7: the image has no stage `yggdrasil`'],
})
test('keys without ssh', fits, {
  lines: ['hostname,keys', `alder,${sshKey}`],
  takes: without(meshTakes, 'ssh'),
  expected: ['2:7: the image has no stage `ssh`, which would take these keys'],
})
test('a network without a pass phrase, and no label to print one on', fits, {
  lines: ['hostname,wifi', 'alder,Square'],
  takes: meshTakes,
  expected: ['2:7: this network has no pass phrase; `--labels` makes one and prints it'],
})
test('a pass phrase of no network', fits, {
  lines: ['hostname,passphrase', 'alder,river and stones'],
  takes: pubTakes,
  expected: ['2:7: a pass phrase needs the name of its network, in the column `wifi`'],
})
test('Wi-Fi for an image without any', fits, {
  lines: ['hostname,wifi', 'alder,Library'],
  takes: { ...pubTakes, hasUsers: false },
  expected: [
    '2:7: the image opens and joins no Wi-Fi network; bake it again, with the stage `access-point` or `imager`',
  ],
})
test('users', fits, {
  lines: ['hostname,user', 'alder,www-data', 'birch,ada'],
  takes: { ...meshTakes, hasUsers: false },
  expected: [
    '2:7: a user has a one-time password, on a label; add `--labels`',
    '2:7: the image makes no user; bake it again, with the stage `imager`',
    '2:7: `www-data` is an account of the image already; choose another name',
    '3:7: a user has a one-time password, on a label; add `--labels`',
    '3:7: the image makes no user; bake it again, with the stage `imager`',
  ],
})
