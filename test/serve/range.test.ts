import test from 'ava'
import { isFresh, isSamePart, parseRange } from '../../builder/serve/range.ts'

for (const [header, expected] of [
  [undefined, undefined],
  ['bytes=0-', { start: 0, end: 99 }],
  ['bytes=10-19', { start: 10, end: 19 }],
  ['bytes=90-200', { start: 90, end: 99 }],
  ['bytes=99-99', { start: 99, end: 99 }],
  ['bytes=-10', { start: 90, end: 99 }],
  ['bytes=-1000', { start: 0, end: 99 }],
  ['bytes=100-', 'unsatisfiable'],
  ['bytes=100-200', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=20-10', undefined],
  ['bytes=0-1,3-4', undefined],
  ['bytes=-', undefined],
  ['bytes=a-b', undefined],
  ['items=0-1', undefined],
  [`bytes=${'9'.repeat(400)}-`, undefined],
] as const) {
  test(`the range ${header?.slice(0, 40) ?? '(none)'} of 100 bytes`, (t) => {
    t.deepEqual(parseRange(header, 100), expected)
  })
}

test('nothing is no range of an empty file', (t) => {
  t.is(parseRange('bytes=0-', 0), 'unsatisfiable')
  t.is(parseRange('bytes=-5', 0), 'unsatisfiable')
})

const validators = { etag: '"abc"', lastModified: 'Sat, 06 Sep 2025 10:00:00 GMT' }
const none = { ifNoneMatch: undefined, ifModifiedSince: undefined, ifRange: undefined }

for (const [title, conditions, expected] of [
  ['nothing is asked', {}, false],
  ['the same tag', { ifNoneMatch: '"abc"' }, true],
  ['one of several tags', { ifNoneMatch: '"x", W/"abc"' }, true],
  ['another tag', { ifNoneMatch: '"x"' }, false],
  ['any tag', { ifNoneMatch: '*' }, true],
  ['the same time', { ifModifiedSince: validators.lastModified }, true],
  ['an older copy', { ifModifiedSince: 'Sat, 06 Sep 2025 09:59:59 GMT' }, false],
  ['another tag outweighs the time', { ifNoneMatch: '"x"', ifModifiedSince: validators.lastModified }, false],
  ['no date at all', { ifModifiedSince: 'yesterday' }, false],
] as const) {
  test(`a copy is still good: ${title}`, (t) => {
    t.is(isFresh({ ...none, ...conditions }, validators), expected)
  })
}

test('what has no time is sent again to who goes by time', (t) => {
  const conditions = { ...none, ifModifiedSince: validators.lastModified }
  t.false(isFresh(conditions, { etag: '"abc"', lastModified: undefined }))
})

test('a part goes on only where it is of the same content', (t) => {
  t.true(isSamePart(none, validators))
  t.true(isSamePart({ ...none, ifRange: '"abc"' }, validators))
  t.true(isSamePart({ ...none, ifRange: validators.lastModified }, validators))
  t.false(isSamePart({ ...none, ifRange: '"x"' }, validators))
  t.false(isSamePart({ ...none, ifRange: 'W/"abc"' }, validators))
})
