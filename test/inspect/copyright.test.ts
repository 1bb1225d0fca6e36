import test from 'ava'
import { readCopyright } from '../../builder/inspect/copyright.ts'

/** A copyright file in the machine-readable format with these `License` fields of `Files` paragraphs. */
const copyright = (...licences: string[]): string =>
  [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: x',
    ...licences.map((licence, index) => `Files: part-${index}/*\nCopyright: 2020 somebody\nLicense: ${licence}`),
  ].join('\n\n')

const expressions: readonly [licences: string[], expression: string][] = [
  [['Expat'], 'MIT'],
  [['GPL-2+'], 'GPL-2.0-or-later'],
  [['GPL-2'], 'GPL-2.0-only'],
  [['GPL-3.0+'], 'GPL-3.0-or-later'],
  [['LGPL-2.1+'], 'LGPL-2.1-or-later'],
  [['AGPL-3'], 'AGPL-3.0-only'],
  [['GPL'], 'GPL-1.0-or-later'],
  [['BSD-3-clause', 'Expat', 'BSD-3-clause'], 'BSD-3-Clause AND MIT'],
  [['GPL-1+ or Artistic'], 'GPL-1.0-or-later OR Artistic-1.0-Perl'],
  [
    ['GPL-2+ or Artistic-2.0, and BSD-3-clause', 'Expat'],
    'BSD-3-Clause AND (GPL-2.0-or-later OR Artistic-2.0) AND MIT',
  ],
  [['Expat and BSD-2-clause or GPL-2'], '(MIT AND BSD-2-Clause) OR GPL-2.0-only'],
  [['GPL-2+ and/or MIT'], 'GPL-2.0-or-later OR MIT'],
]

for (const [licences, expression] of expressions) {
  test(`the licences ${licences.map((name) => `\`${name}\``).join(', ')} of a package`, (t) => {
    const licence = readCopyright(copyright(...licences))
    t.is(licence.expression, expression)
    t.deepEqual(licence.refs, [])
    t.deepEqual(licence.names, [...new Set(expression.split(/ AND | OR |[()]/))].filter(Boolean).sort())
  })
}

test('a licence that SPDX has no name for is defined with its text, wherever the file has that', (t) => {
  const inside = readCopyright(copyright('beer\n Buy me one.\n .\n Or two.'))
  t.regex(inside.expression ?? '', /^LicenseRef-beer-[0-9a-f]{8}$/)
  t.deepEqual(inside.refs, [{ id: inside.expression ?? '', name: 'beer', text: 'Buy me one.\n\nOr two.' }])

  const apart = readCopyright(`${copyright('beer or GPL-2+')}\n\nLicense: beer\n Buy me one.\n .\n Or two.\n`)
  t.deepEqual(apart.names, ['GPL-2.0-or-later', 'beer'])
  t.is(apart.expression, `${inside.expression} OR GPL-2.0-or-later`)
  t.deepEqual(apart.refs, inside.refs)

  const other = readCopyright(copyright('beer\n Buy me wine.'))
  t.not(other.expression, inside.expression, 'another text is another licence')
})

test('a file that is not machine-readable claims nothing, and says what it mentions', (t) => {
  const text = 'It may be copied, see /usr/share/common-licenses/GPL-2.\nParts: /usr/share/common-licenses/LGPL-2.1.\n'
  t.deepEqual(readCopyright(text), {
    names: ['GPL-2', 'LGPL-2.1'],
    refs: [],
    comment: 'its copyright file is not machine-readable; it mentions GPL-2, LGPL-2.1',
  })
  for (const silent of ['Format: x\nnot a field', 'Copyright 1999 Somebody. Do what you like.\n', '']) {
    t.deepEqual(readCopyright(silent), { names: [], refs: [], comment: 'its copyright file is not machine-readable' })
  }
})
