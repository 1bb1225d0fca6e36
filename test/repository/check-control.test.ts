import test from 'ava'
import { assertControl, controlFaults } from '../../builder/repository/check-control.ts'

const right = {
  Package: 'mill-tools',
  Version: '1:2.0~rc1-3+deb13u1',
  Architecture: 'arm64',
  Maintainer: 'The mill <mill@example.org>',
  Description: 'Tools of the mill\n of all sorts',
  Depends: 'libc6 (>= 2.41), perl:any | python3',
}

test('what follows the policy has no fault', (t) => {
  t.deepEqual(controlFaults(right), [])
})

for (const [title, change, fault] of [
  ['no name', { Package: '' }, /no `Package`/],
  ['a name that leads elsewhere', { Package: '../../etc/cron.d/x' }, /no name of a package/],
  ['a name with capitals', { Package: 'Mill' }, /no name of a package/],
  ['a version that leads elsewhere', { Version: '1/../../x' }, /no version/],
  ['a version without a digit', { Version: 'next' }, /no version/],
  ['an architecture with a blank', { Architecture: 'arm64 amd64' }, /no architecture/],
  ['nobody who made it', { Maintainer: ' ' }, /no `Maintainer`/],
  ['a place in the index', { Filename: 'pool/main/a.deb' }, /`Filename` is for an index/],
  ['a place in the index, in other letters', { fileNAME: 'pool/main/a.deb' }, /`fileNAME` is for an index/],
  ['a digest of its own', { SHA256: '0'.repeat(64) }, /`SHA256` is for an index/],
  ['a field twice, in other letters', { package: 'other' }, /stands in it twice/],
  ['a field with a blank', { 'Depends on': 'x' }, /impossible name/],
  ['relations that are none', { Depends: 'a b c' }, /`Depends` names no packages/],
  ['being essential', { Essential: 'yes' }, /`Essential`/],
] as const) {
  test(`refused: ${title}`, (t) => {
    const faults = controlFaults({ ...right, ...change })
    t.is(faults.length, 1, faults.join('; '))
    t.regex(faults[0] ?? '', fault)
  })
}

test('all faults are told at once, with the file', (t) => {
  const error = t.throws(() => assertControl('/media/x.deb', { Package: 'X' }), { code: 'CONFIG_INVALID' })
  t.true(error?.message.includes('/media/x.deb'))
  t.is(Object(error).details.length, 5)
})
