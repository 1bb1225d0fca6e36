import test from 'ava'
import { readCopyright, readNpmLicence } from '../../builder/publish/licence.ts'

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
    t.deepEqual(readCopyright(copyright(...licences)), { expression, refs: [] })
  })
}

test('a licence that SPDX has no name for is defined with its text, wherever the file has that', (t) => {
  const inside = readCopyright(copyright('beer\n Buy me one.\n .\n Or two.'))
  t.regex(inside.expression ?? '', /^LicenseRef-beer-[0-9a-f]{8}$/)
  t.deepEqual(inside.refs, [{ id: inside.expression ?? '', name: 'beer', text: 'Buy me one.\n\nOr two.' }])

  const apart = readCopyright(`${copyright('beer or GPL-2+')}\n\nLicense: beer\n Buy me one.\n .\n Or two.\n`)
  t.is(apart.expression, `${inside.expression} OR GPL-2.0-or-later`)
  t.deepEqual(apart.refs, inside.refs)

  const other = readCopyright(copyright('beer\n Buy me wine.'))
  t.not(other.expression, inside.expression, 'another text is another licence')
})

test('a file that is not machine-readable claims nothing, and says what it mentions', (t) => {
  const text = 'It may be copied, see /usr/share/common-licenses/GPL-2.\nParts: /usr/share/common-licenses/LGPL-2.1.\n'
  t.deepEqual(readCopyright(text), {
    refs: [],
    comment: 'its copyright file is not machine-readable; it mentions GPL-2, LGPL-2.1',
  })
  t.is(readCopyright('Format: x\nnot a field').expression, undefined)
})

const manifests: readonly [manifest: unknown, expression: string | undefined][] = [
  [{ license: 'MIT' }, 'MIT'],
  [{ license: 'mit' }, 'MIT'],
  [{ license: '(MIT OR Apache-2.0)' }, '(MIT OR Apache-2.0)'],
  [{ license: 'MIT AND (ISC OR 0BSD)' }, 'MIT AND (ISC OR 0BSD)'],
  [{ license: { type: 'BSD-3-Clause', url: 'https://example.org' } }, 'BSD-3-Clause'],
  [{ licenses: [{ type: 'MIT' }, { type: 'GPLv3' }] }, 'MIT OR GPL-3.0-only'],
  [{ license: 'AGPL-3.0' }, 'AGPL-3.0-only'],
  [{}, undefined],
  [null, undefined],
]

for (const [manifest, expression] of manifests) {
  test(`the licence of a package.json with ${JSON.stringify(manifest)}`, (t) => {
    const licence = readNpmLicence(manifest)
    t.is(licence.expression, expression)
    t.is(licence.comment === undefined, expression !== undefined)
  })
}

test('a sentence in a package.json is a licence of its own', (t) => {
  const { expression, refs } = readNpmLicence({ license: 'SEE LICENSE IN LICENSE.md' })
  t.regex(expression ?? '', /^LicenseRef-SEE-LICENSE-IN-LICENSE\.md-[0-9a-f]{8}$/)
  t.is(refs[0]?.text, 'SEE LICENSE IN LICENSE.md')
})
