import test from 'ava'
import { compareVersions, type Operator, versionSatisfies } from '../../builder/deb/version.ts'

/** Each version is older than the one below it. */
const ascending: readonly (readonly string[])[] = [
  ['1.0~~', '1.0~~a', '1.0~', '1.0', '1.0a', '1.0+b1', '1.0.1'],
  ['0:9', '1:1', '1:1.0-1', '2:0'],
  ['1.0-1', '1.0-1+b1', '1.0-1.1', '1.0-2', '1.0-10'],
  ['1.2.3-4~bpo12+1', '1.2.3-4', '1.2.3-4+deb13u1', '1.2.3-5'],
  ['1.0~rc1-1', '1.0~rc2-1', '1.0-1'],
  ['7.6-0', '7.6p2-4'],
  ['1a', '1b', '1+', '1.'],
  ['2.41-12', '2.41-12+deb13u4', '2.41-13', '2.42~a'],
  ['0.5.12-2', '0.5.12-2+b4'],
  ['1-0-1', '1-0-2', '1-1-0'],
]

for (const row of ascending) {
  test(`ascending: ${row.join(' < ')}`, (t) => {
    for (const [index, version] of row.entries()) {
      for (const later of row.slice(index + 1)) {
        t.true(compareVersions(version, later) < 0, `${version} < ${later}`)
        t.true(compareVersions(later, version) > 0, `${later} > ${version}`)
      }
    }
  })
}

for (const [a, b] of [
  ['1.0', '0:1.0'],
  ['1.0', '1.00'],
  ['1.0-0', '1.0'],
  ['1.001', '1.1'],
  ['1.0-1', '1.0-01'],
] as const) {
  test(`equal: ${a} = ${b}`, (t) => {
    t.is(compareVersions(a, b), 0)
  })
}

for (const [version, operator, wanted, holds] of [
  ['1.0', '>=', '1.0', true],
  ['1.0', '>>', '1.0', false],
  ['1.0', '<<', '1.0', false],
  ['1.0', '<=', '1.0', true],
  ['1.0', '=', '1.0-1', false],
  ['1.0~rc1', '<<', '1.0', true],
  ['1:0.1', '>>', '99', true],
] as const satisfies readonly (readonly [string, Operator, string, boolean])[]) {
  test(`${version} ${operator} ${wanted} is ${holds}`, (t) => {
    t.is(versionSatisfies(version, operator, wanted), holds)
  })
}
