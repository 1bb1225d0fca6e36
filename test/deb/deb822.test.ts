import test from 'ava'
import { formatStanza, formatStanzas, parseStanza, parseStanzas } from '../../builder/deb/deb822.ts'

const text = `Package: a
Version: 1.0
# a comment
Description: first line
 second line
 .
 last line

\t
Package: b
Depends:
 x,
 y
`

test('paragraphs, continuation lines, comments and blank lines', (t) => {
  t.deepEqual(
    [...parseStanzas(text)],
    [
      { Package: 'a', Version: '1.0', Description: 'first line\n second line\n .\n last line' },
      { Package: 'b', Depends: '\n x,\n y' },
    ],
  )
})

test('only the wanted fields are kept, and their continuation lines', (t) => {
  t.deepEqual(
    [...parseStanzas(text, { fields: new Set(['Version', 'Depends']) })],
    [{ Version: '1.0' }, { Depends: '\n x,\n y' }],
  )
})

test('a file without a line feed at its end, and one with carriage returns', (t) => {
  t.deepEqual([...parseStanzas('A: 1\r\nB: 2\r\n\r\nA: 3')], [{ A: '1', B: '2' }, { A: '3' }])
})

test('values keep their colons', (t) => {
  t.deepEqual(parseStanza('Version: 1:2.0-1\nHomepage: http://x/y\n'), { Version: '1:2.0-1', Homepage: 'http://x/y' })
})

test('formatting is what parsing reads', (t) => {
  const stanzas = [...parseStanzas(text)]
  t.deepEqual([...parseStanzas(formatStanzas(stanzas))], stanzas)
  t.is(formatStanza({ A: '1', B: undefined, C: '\n x' }), 'A: 1\nC:\n x\n')
  t.is(
    formatStanzas([{ A: '1' }, { A: '2' }]),
    'A: 1\n\nA: 2\n\n',
    'debootstrap reads none that has no empty line after it',
  )
})

for (const [name, broken] of [
  ['a line without a colon', 'Package a\n'],
  ['no paragraph', '\n\n'],
  ['two paragraphs', 'A: 1\n\nA: 2\n'],
] as const) {
  test(`parseStanza refuses ${name}`, (t) => {
    t.throws(() => parseStanza(broken), { instanceOf: SyntaxError })
  })
}

test('60 MB of Packages take less than 1.5 s of one processor', (t) => {
  const stanza = `Package: libexample\nVersion: 1.2-3\nDepends: libc6 (>= 2.38), zlib1g\nDescription: ${'x'.repeat(700)}\nSize: 1\n\n`
  const count = Math.ceil(60_000_000 / stanza.length)
  const big = stanza.repeat(count)
  const before = process.threadCpuUsage()
  let found = 0
  for (const { Package } of parseStanzas(big, { fields: new Set(['Package']) }))
    if (Package === 'libexample') found += 1
  t.is(found, count)
  const { user, system } = process.threadCpuUsage(before)
  t.true(user + system < 1_500_000)
})
