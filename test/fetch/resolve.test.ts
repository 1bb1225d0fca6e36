import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { aptFailure, explanationLines } from '../../builder/fetch/apt-failure.ts'
import { buildPackageTable } from '../../builder/fetch/package-table.ts'
import { essentialPackages, parseSimulation } from '../../builder/fetch/resolve.ts'
import { packagesText } from './_packages.ts'

test('what apt would install, new and upgraded, from one or several suites', (t) => {
  const output = `Inst gcc-14-base (14.2.0-19 Debian:13.1/stable [arm64])
Inst vim-tiny [2:9.0-1] (2:9.1.1230-2+deb13u2 Debian-Security:13/stable-security [arm64]) []
Inst tzdata (2026a-0+deb13u1 Debian:13.1/stable, Debian:13/stable-updates [all])
Inst pibake-ssh (0 localhost [all]) [x:arm64 ]
Conf gcc-14-base (14.2.0-19 Debian:13.1/stable [arm64])
`
  t.deepEqual(parseSimulation(output), [
    { name: 'gcc-14-base', version: '14.2.0-19', architecture: 'arm64' },
    { name: 'vim-tiny', version: '2:9.1.1230-2+deb13u2', architecture: 'arm64' },
    { name: 'tzdata', version: '2026a-0+deb13u1', architecture: 'all' },
    { name: 'pibake-ssh', version: '0', architecture: 'all' },
  ])
})

test('essential is what is so in its newest version', (t) => {
  const text = packagesText([
    { Package: 'b', Essential: 'yes' },
    { Package: 'a', Essential: 'yes' },
    { Package: 'c', Version: '1', Essential: 'yes' },
    { Package: 'c', Version: '2' },
  ])
  t.deepEqual(essentialPackages(buildPackageTable([{ archive: 'main', text }])), ['a', 'b'])
})

test("what another suite marks essential counts for nothing, and a version that both have is the own suite's", (t) => {
  const own = packagesText([{ Package: 'a' }, { Package: 'b', Version: '2' }])
  const other = packagesText([
    { Package: 'a', Version: '2', Essential: 'yes' },
    { Package: 'b', Version: '2' },
  ])
  const table = buildPackageTable([
    { archive: 'main', text: own },
    { archive: 'main', suite: 'sid', text: other },
  ])
  t.deepEqual(essentialPackages(table), [])
  t.deepEqual(
    table.byName.get('a')?.map(({ version, suite }) => [version, suite]),
    [
      ['2', 'sid'],
      ['1', undefined],
    ],
  )
  t.is(table.byName.get('b')?.[0]?.suite, undefined)
})

test('only the explanation of what apt says is shown', (t) => {
  const lines = [
    'Reading package lists...',
    'W: x',
    'The following packages have unmet dependencies:',
    ' a : Depends: b',
    '',
    'E: Broken',
  ]
  t.deepEqual(explanationLines(lines), [
    'The following packages have unmet dependencies:',
    ' a : Depends: b',
    'E: Broken',
  ])
})

const failed = (...details: string[]) => new PibakeError('COMMAND_FAILED', '`apt-get` failed.', { hint: '', details })

test('an unknown package is named, with the nearest known one', (t) => {
  const failure = aptFailure(failed('E: Unable to locate package yggdrasill'), {
    step: 'mesh',
    known: ['yggdrasil', 'x'],
  })
  t.true(failure instanceof PibakeError)
  if (!(failure instanceof PibakeError)) return
  t.is(failure.code, 'RESOLVE_FAILED')
  t.true(failure.message.includes('`mesh`') && failure.message.includes('`yggdrasill`'))
  t.is(failure.hint, 'Did you mean `yggdrasil`?')
})

test('an interruption stays one', (t) => {
  const interruption = new PibakeError('INTERRUPTED', 'Interrupted.', { hint: '' })
  t.is(aptFailure(interruption, { step: 'x', known: [] }), interruption)
})
