import test from 'ava'
import { asSha256, hashBytes } from '../../builder/core/digest.ts'
import { renderBmap } from '../../builder/image/bmap.ts'
import { collectRanges } from '../../builder/image/mapped.ts'

const mapOf = (blocks: number, ...ranges: [first: number, last: number][]): Uint8Array => {
  const mapped = new Uint8Array(blocks)
  for (const [first, last] of ranges) mapped.fill(1, first, last + 1)
  return mapped
}

const cases: [name: string, mapped: Uint8Array, pieceBlocks: number, expected: [number, number][]][] = [
  ['nothing', mapOf(10), 100, []],
  ['everything', mapOf(10, [0, 9]), 100, [[0, 9]]],
  ['one block at the end', mapOf(10, [9, 9]), 100, [[9, 9]]],
  ['a small gap is joined', mapOf(200, [0, 3], [67, 70]), 1000, [[0, 70]]],
  [
    'a larger gap stays',
    mapOf(200, [0, 3], [68, 70]),
    1000,
    [
      [0, 3],
      [68, 70],
    ],
  ],
  [
    'long ranges are cut',
    mapOf(300, [100, 299]),
    80,
    [
      [100, 179],
      [180, 259],
      [260, 299],
    ],
  ],
]

for (const [name, mapped, pieceBlocks, expected] of cases) {
  test(`ranges: ${name}`, (t) => {
    t.deepEqual(
      collectRanges(mapped, pieceBlocks).map(({ first, last }) => [first, last]),
      expected,
    )
  })
}

test('the file says what it maps and carries its own checksum', (t) => {
  const sha256 = asSha256('ab'.repeat(32))
  const ranges = [
    { first: 0, last: 9, sha256 },
    { first: 20, last: 20, sha256 },
  ]
  const text = renderBmap({ sizeBytes: 100_000, ranges })
  t.regex(text, /<ImageSize> 100000 <\/ImageSize>/)
  t.regex(text, /<BlocksCount> 25 <\/BlocksCount>/)
  t.regex(text, /<MappedBlocksCount> 11 <\/MappedBlocksCount>/)
  t.true(text.includes(`<Range chksum="${sha256}"> 0-9 </Range>`))
  t.true(text.includes(`<Range chksum="${sha256}"> 20 </Range>`))
  const checksum = /<BmapFileChecksum> ([0-9a-f]{64}) </.exec(text)?.[1] ?? ''
  t.is(hashBytes(text.replace(checksum, '0'.repeat(64))) as string, checksum)
  t.is(renderBmap({ sizeBytes: 100_000, ranges }), text)
})
