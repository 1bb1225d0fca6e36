import test from 'ava'
import { formatRelation, parseRelations, type Relation } from '../../builder/deb/relation.ts'

const cases: readonly (readonly [string, readonly (readonly Relation[])[]])[] = [
  ['', []],
  ['a', [[{ name: 'a' }]]],
  ['a, b ,c,', [[{ name: 'a' }], [{ name: 'b' }], [{ name: 'c' }]]],
  ['a (>= 1:2.0~rc1-1)', [[{ name: 'a', operator: '>=', version: '1:2.0~rc1-1' }]]],
  ['a(=1)|b', [[{ name: 'a', operator: '=', version: '1' }, { name: 'b' }]]],
  ['python3:any (<< 3.14)', [[{ name: 'python3', qualifier: 'any', operator: '<<', version: '3.14' }]]],
  ['a (> 1)', [[{ name: 'a', operator: '>=', version: '1' }]]],
  ['a [amd64 !arm64]', [[{ name: 'a', architectures: ['amd64', '!arm64'] }]]],
  [
    'a (>= 1) | b:any [arm64] <!nocheck>, libstdc++6',
    [
      [
        { name: 'a', operator: '>=', version: '1' },
        { name: 'b', qualifier: 'any', architectures: ['arm64'], profiles: ['!nocheck'] },
      ],
      [{ name: 'libstdc++6' }],
    ],
  ],
  ['\n a,\n b\n', [[{ name: 'a' }], [{ name: 'b' }]]],
]

for (const [text, expected] of cases) {
  test(`relations: ${JSON.stringify(text)}`, (t) => {
    t.deepEqual(parseRelations(text), expected as Relation[][])
  })
}

for (const text of ['a (>= )', 'a b', '(>= 1)', 'a (~ 1)', '| a', '$(rm -rf x)']) {
  test(`not a relation: ${text}`, (t) => {
    t.throws(() => parseRelations(text), { instanceOf: SyntaxError })
  })
}

test('a relation is written as control files spell it', (t) => {
  t.is(formatRelation({ name: 'a', qualifier: 'any', operator: '>=', version: '1' }), 'a:any (>= 1)')
})
