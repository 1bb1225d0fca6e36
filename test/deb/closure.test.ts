import test from 'ava'
import { essentialClosure } from '../../builder/deb/closure.ts'
import type { Stanza } from '../../builder/deb/deb822.ts'

const packages: Stanza[] = [
  { Package: 'web', Depends: 'libc6' },
  { Package: 'bash', Essential: 'yes', 'Pre-Depends': 'libc6 (>= 2.36), libtinfo6', Depends: 'base-files (>= 2.1.12)' },
  { Package: 'libc6', Depends: 'libgcc-s1' },
  { Package: 'libgcc-s1', Depends: 'libc6' },
  { Package: 'libtinfo6' },
  { Package: 'base-files', Essential: 'yes', 'Pre-Depends': 'awk' },
  { Package: 'mawk', Provides: 'awk' },
  { Package: 'gawk', Provides: 'awk' },
  { Package: 'dpkg', Essential: 'yes', Depends: 'absent | tar (>= 1.28), never-there' },
  { Package: 'tar', Recommends: 'web' },
]

const namesOf = (stanzas: readonly Stanza[]): string[] => stanzas.map(({ Package }) => Package ?? '')

test('essentials with all that they depend on, in the order of the set', (t) => {
  t.deepEqual(namesOf(essentialClosure(packages)), [
    'bash',
    'libc6',
    'libgcc-s1',
    'libtinfo6',
    'base-files',
    'mawk',
    'dpkg',
    'tar',
  ])
})

test('a real package goes before one that provides its name', (t) => {
  const awk: Stanza = { Package: 'awk' }
  const names = namesOf(essentialClosure([...packages, awk]))
  t.true(names.includes('awk'))
  t.false(names.includes('mawk'))
})

test('without essentials there is nothing', (t) => {
  t.deepEqual(essentialClosure([{ Package: 'web' }, { Package: 'x', Essential: 'no' }]), [])
})
