import test from 'ava'
import { PibakeError } from '../../builder/core/error.ts'
import { buildPackageTable } from '../../builder/fetch/package-table.ts'
import { walkDependencies } from '../../builder/fetch/walk.ts'
import { packagesText } from './_packages.ts'

const table = (...packages: readonly Readonly<Record<string, string>>[]) =>
  buildPackageTable([{ archive: 'main', text: packagesText(packages) }])

const walk = (packages: readonly Readonly<Record<string, string>>[], ...roots: string[]): string[] =>
  walkDependencies(table(...packages), roots).map(({ name, version }) => `${name} ${version}`)

test('Depends and Pre-Depends are followed, Recommends are not', (t) => {
  const packages = [
    { Package: 'a', Depends: 'b', 'Pre-Depends': 'c', Recommends: 'd' },
    { Package: 'b', Depends: 'a' },
    { Package: 'c' },
    { Package: 'd' },
  ]
  t.deepEqual(walk(packages, 'a'), ['a 1', 'b 1', 'c 1'])
})

test('the newest version is taken, wherever it stands', (t) => {
  const packages = [
    { Package: 'a', Version: '1.0' },
    { Package: 'a', Version: '1.0+deb13u1' },
    { Package: 'a', Version: '1.0~rc1' },
  ]
  t.deepEqual(walk(packages, 'a'), ['a 1.0+deb13u1'])
})

test('the newest version that a relation allows', (t) => {
  const packages = [
    { Package: 'a', Depends: 'b (<< 2)' },
    { Package: 'b', Version: '1' },
    { Package: 'b', Version: '2' },
  ]
  t.deepEqual(walk(packages, 'a'), ['a 1', 'b 1'])
})

test('the first alternative that exists, unless another is there already', (t) => {
  const packages = [
    { Package: 'a', Depends: 'gone | b | c' },
    { Package: 'b' },
    { Package: 'c' },
    { Package: 'd', Depends: 'b | c' },
  ]
  t.deepEqual(walk(packages, 'a'), ['a 1', 'b 1'])
  t.deepEqual(walk(packages, 'c', 'd'), ['c 1', 'd 1'])
})

test('provided names, with and without versions', (t) => {
  const packages = [
    { Package: 'a', Depends: 'virtual, abi (>= 2)' },
    { Package: 'old', Provides: 'abi (= 1), virtual' },
    { Package: 'new', Provides: 'abi (= 2), virtual' },
  ]
  t.deepEqual(walk(packages, 'new', 'a'), ['a 1', 'new 1'])
  t.deepEqual(walk(packages.slice(0, 1).concat(packages.slice(2)), 'a'), ['a 1', 'new 1'])
})

test('an unversioned Provides answers no versioned relation', (t) => {
  const packages = [
    { Package: 'a', Depends: 'abi (>= 2)' },
    { Package: 'p', Provides: 'abi' },
  ]
  t.throws(() => walk(packages, 'a'), { instanceOf: PibakeError })
})

test('roots by pattern, and roots that a suite may lack', (t) => {
  const packages = [
    { Package: 'libperl5.40' },
    { Package: 'libperl5.40-dbg' },
    { Package: 'libperl-dev' },
    { Package: 'x' },
  ]
  t.deepEqual(walk(packages, 'libperl5.*', 'x?', 'y?'), ['libperl5.40 1', 'x 1'])
})

test('what is missing is named with the chain that leads there', (t) => {
  const packages = [
    { Package: 'a', Depends: 'b' },
    { Package: 'b', Depends: 'c (>= 3) | d' },
    { Package: 'c', Version: '2' },
  ]
  const error = t.throws(() => walk(packages, 'a'), { instanceOf: PibakeError })
  t.is(error?.code, 'RESOLVE_FAILED')
  t.deepEqual(error?.details, ['a -> b -> c (>= 3) | d'])
})

test('a root that does not exist', (t) => {
  const error = t.throws(() => walk([], 'nothing'), { instanceOf: PibakeError })
  t.true(error?.message.includes('`nothing`'))
})

test('packages of the security archive keep their archive', (t) => {
  const security = packagesText([{ Package: 'a', Version: '1+deb13u1' }])
  const both = buildPackageTable([
    { archive: 'main', text: packagesText([{ Package: 'a' }]) },
    { archive: 'security', text: security },
  ])
  t.deepEqual(
    walkDependencies(both, ['a']).map(({ archive, version }) => [archive, version]),
    [['security', '1+deb13u1']],
  )
})
