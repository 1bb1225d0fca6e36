import test from 'ava'
import { readNpmLicence } from '../../builder/inspect/npm-licence.ts'

const manifests: readonly [manifest: unknown, expression: string | undefined][] = [
  [{ license: 'MIT' }, 'MIT'],
  [{ license: 'mit' }, 'MIT'],
  [{ license: '(MIT OR Apache-2.0)' }, 'MIT OR Apache-2.0'],
  [{ license: 'GPL-2.0+ WITH Classpath-exception-2.0' }, 'GPL-2.0-or-later WITH Classpath-exception-2.0'],
  [{ license: ['MIT OR ISC', 'BSD-3-Clause'] }, '(MIT OR ISC) OR BSD-3-Clause'],
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
