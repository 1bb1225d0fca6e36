import { mkdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { parseRoster, readRoster } from '../../builder/card/roster.ts'
import { PibakeError } from '../../builder/core/error.ts'
import { scratch } from '../support/scratch.ts'

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ada@desk'

test('all columns', (t) => {
  const { cards } = parseRoster(
    [
      'hostname,Role,wifi,passphrase,country,keys,peers,user,portal.title,first-boot.timezone',
      `Alder,At the gate,"Anna's; Café","river, and stones",DE,${key},tls://192.0.2.1:9001 quic://[2001:db8::1]:9001,ada,Hello,Europe/Berlin`,
      'birch,,,,,,,,,',
    ].join('\n'),
    'cards.csv',
  )
  const [alder, birch] = cards
  t.like(alder, {
    hostname: 'alder',
    role: 'At the gate',
    wifi: "Anna's; Café",
    passphrase: 'river, and stones',
    country: 'DE',
    keys: [key],
    peers: ['tls://192.0.2.1:9001', 'quic://[2001:db8::1]:9001'],
    user: 'ada',
  })
  t.deepEqual(
    [...(alder?.settings ?? [])],
    [
      ['portal.title', 'Hello'],
      ['first-boot.timezone', 'Europe/Berlin'],
    ],
  )
  t.like(alder?.placeOf('passphrase'), { line: 2, column: 34 })
  t.is(birch?.hostname, 'birch')
  t.is(birch?.wifi, undefined)
  t.is(birch?.placeOf('wifi').line, 3)
})

const secret = 'only7!!'

/** Rosters with mistakes, and the places and words that must name them all. */
const mistakes: Readonly<Record<string, [lines: readonly string[], ...expected: string[]]>> = {
  'an unknown column': [
    ['hostname,passwort', 'alder,x'],
    '1:10: unknown column `passwort`; there are `hostname`, `role`, `wifi`, `passphrase`, `country`, `keys`, `peers`, `user` and settings such as `portal.title`',
  ],
  'a misspelt column': [
    ['hostnam,role', 'alder,x'],
    '1:1: unknown column `hostnam` — did you mean `hostname`?; there are',
  ],
  'a column without a name': [['hostname,,role', 'alder,x,y'], '1:10: this column has no name; there are'],
  'a column twice': [['hostname,role,Role', 'alder,x,y'], '1:15: the column `role` stands here a second time'],
  'no host name': [['hostname,role', ',gate'], '2:1: the card has no host name'],
  'a bad host name': [
    ['hostname', 'alder_1', '-birch', 'a.b'],
    '2:1: a host name is at most 63 lower-case letters, digits and hyphens',
    '3:1: a host name',
    '4:1: a host name',
  ],
  'one name twice': [['role,hostname', 'a,alder', 'b,ALDER'], '3:3: the card `alder` is in line 2 already'],
  'a short pass phrase': [
    ['hostname,wifi,passphrase', `alder,x,${secret}`],
    '2:9: a pass phrase of Wi-Fi has 8 to 63 letters, digits and signs of ASCII',
  ],
  'a long pass phrase': [['hostname,passphrase', `alder,${secret.repeat(10)}`], '2:7: a pass phrase of Wi-Fi'],
  'a pass phrase that is no ASCII': [['hostname,passphrase', `alder,${secret}äöü`], '2:7: a pass phrase of Wi-Fi'],
  'a long Wi-Fi name': [
    ['hostname,wifi', `alder,${'ä'.repeat(17)}`],
    '2:7: the name of a Wi-Fi network has at most 32 bytes',
  ],
  'a line break': [['hostname,wifi', 'alder,"two', 'lines"'], '2:7: it has a line break or another sign'],
  'a line break in a setting': [['hostname,portal.title', 'alder,"two', 'lines"'], '2:7: it has a line break'],
  'a country in words': [['hostname,country', 'alder,Germany'], '2:7: a country is two capital letters, such as DE'],
  'a wrong key': [['hostname,keys', `alder,${key.slice(0, 40)}`], '2:7: the SSH key is cut off or changed'],
  'one wrong key of two': [['hostname,keys', `alder,"${key}`, 'ssh-rsa AAAA"'], '2:7: key 2 is cut off or changed'],
  'a peer that is none': [
    ['hostname,peers', 'alder,192.0.2.1'],
    '2:7: a peer is an address such as tls://192.0.2.1:9001',
  ],
  'a bad user': [['hostname,user', 'alder,Ada L.'], '2:7: a user has at most 32 lower-case letters'],
  'more cells than columns': [['hostname,role', 'alder,x,y'], '2:9: this row has more cells than there are columns'],
  'quotes that never end': [['hostname,role', 'alder,"x'], '2:7: the quotes that begin here never end'],
  'all of them': [
    ['hostname,wifi,passphrase', 'alder,x,short', 'al der,,'],
    '2:9: a pass phrase',
    '3:1: a host name is at most',
  ],
}
for (const [name, [lines, ...expected]] of Object.entries(mistakes)) {
  test(`refused: ${name}`, (t) => {
    const error = t.throws(() => parseRoster(lines.join('\n'), 'cards.csv'), { instanceOf: PibakeError })
    t.is(error?.code, 'CONFIG_INVALID')
    t.is(error?.details.length, expected.length)
    for (const [at, start] of expected.entries())
      t.true(error?.details[at]?.startsWith(`cards.csv:${start}`), error?.details[at])
    t.false(JSON.stringify([error?.message, error?.hint, error?.details]).includes(secret), 'no secret goes to the log')
  })
}

for (const text of ['', '\n\n', 'hostname,role\n', 'hostname\n,,\n']) {
  test(`a roster without cards: ${JSON.stringify(text)}`, (t) => {
    t.throws(() => parseRoster(text, 'cards.csv'), { message: '`cards.csv` names no card.' })
  })
}

test('a file as spreadsheets save it, with a mark of its order of bytes', async (t) => {
  const path = join(await scratch(t), 'cards.csv')
  await writeFile(path, '\ufeffhostname;role\r\nalder;Café\r\n')
  t.is((await readRoster(path, 'cards.csv')).cards[0]?.role, 'Café')
})

test('what is no text in UTF-8 is refused', async (t) => {
  const path = join(await scratch(t), 'cards.csv')
  await writeFile(path, Buffer.from('hostname;role\r\nalder;Caf\xe9\r\n', 'latin1'))
  await t.throwsAsync(readRoster(path, 'cards.csv'), { message: '`cards.csv` is not UTF-8.' })
  await truncate(path, 5 << 20)
  await t.throwsAsync(readRoster(path, 'cards.csv'), { message: '`cards.csv` is too large for a roster.' })
})

test('what cannot be read is said', async (t) => {
  const folder = await scratch(t)
  await mkdir(join(folder, 'folder'))
  const missing = await t.throwsAsync(readRoster(join(folder, 'no.csv'), 'no.csv'), { instanceOf: PibakeError })
  t.is(missing?.message, 'The roster `no.csv` cannot be read (ENOENT).')
  t.is(missing?.code, 'USAGE')
  await t.throwsAsync(readRoster(join(folder, 'folder'), 'folder'), {
    message: 'The roster `folder` cannot be read (EISDIR).',
  })
})
