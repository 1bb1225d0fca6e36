import test from 'ava'
import { nearest } from '../../builder/core/text.ts'

const names = ['apt-mirror', 'first-boot', 'portal', 'ssb-pub', 'ssh', 'yggdrasil']

const means = test.macro((t, name: string, expected: string | undefined) => {
  t.is(nearest(name, names), expected)
})

test('a letter too few', means, 'ygdrasil', 'yggdrasil')
test('a letter too many', means, 'porttal', 'portal')
test('another letter', means, 'ssg', 'ssh')
test('another case', means, 'SSH', 'ssh')
test('two letters swapped, in a name too short for two edits', means, 'shs', 'ssh')
test('two pairs swapped', means, 'potrla', 'portal')
test('three pairs swapped, in a name too short for six edits', means, 'ygdgrsali', 'yggdrasil')
test('a swap with a letter between is two edits', means, 'hss', undefined)
test('nothing like it', means, 'matrix', undefined)
test('nothing at all', means, '', undefined)

test('of two that are near, the nearer one', (t) => {
  t.is(nearest('porptal', ['portals', 'portal']), 'portal')
  t.is(nearest('abdc', ['abce', 'abcd']), 'abcd')
})
