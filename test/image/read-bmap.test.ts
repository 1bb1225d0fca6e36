import { createHash } from 'node:crypto'
import test from 'ava'
import { asSha256 } from '../../builder/core/digest.ts'
import { renderBmap } from '../../builder/image/bmap.ts'
import { parseBmap } from '../../builder/image/read-bmap.ts'

const digest = asSha256(createHash('sha256').update('x').digest('hex'))

const written = renderBmap({
  sizeBytes: 5 * 4096 + 100,
  ranges: [
    { first: 0, last: 1, sha256: digest },
    { first: 3, last: 3, sha256: digest },
    { first: 5, last: 5, sha256: digest },
  ],
})

test('what is written is read again; the last block ends with the image', (t) => {
  t.deepEqual(parseBmap(written, 'a.bmap'), {
    sizeBytes: 5 * 4096 + 100,
    algorithm: 'sha256',
    extents: [
      { startBytes: 0, endBytes: 8192, checksum: digest },
      { startBytes: 12288, endBytes: 16384, checksum: digest },
      { startBytes: 20480, endBytes: 20580, checksum: digest },
    ],
  })
})

/** As bmaptool 2.x wrote them before 2.0 of the format: SHA-1 under other names, no checksums of ranges. */
const old = (ranges: string, mapped: number): string => `<?xml version="1.0" ?>
<bmap version="1.3">
  <ImageSize> 40960 </ImageSize>
  <BlockSize> 4096 </BlockSize>
  <BlocksCount> 10 </BlocksCount>
  <MappedBlocksCount> ${mapped} </MappedBlocksCount>
  <BlockMap>
    ${ranges}
  </BlockMap>
</bmap>`

test('an old map has SHA-1, or no checksums', (t) => {
  const { algorithm, extents } = parseBmap(old('<Range sha1="AB12"> 0-3 </Range> <Range> 9 </Range>', 5), 'a.bmap')
  t.is(algorithm, 'sha1')
  t.deepEqual(
    extents.map(({ startBytes, endBytes, checksum }) => [startBytes, endBytes, checksum]),
    [
      [0, 16384, 'ab12'],
      [36864, 40960, undefined],
    ],
  )
})

const wrong: readonly [what: string, text: string, says: RegExp][] = [
  ['a changed map', written.replace('3 </Range>', '4 </Range>'), /its own checksum is wrong/],
  ['a page of HTML', '<html>', /is no block map/],
  ['a map of the future', written.replace('version="2.0"', 'version="3.0"'), /has version 3.0/],
  ['ranges that go back', old('<Range> 4 </Range><Range> 3 </Range>', 2), /wrong range 3-3/],
  ['a range behind the end', old('<Range> 9-10 </Range>', 2), /wrong range 9-10/],
  ['a range that is missing', old('<Range> 1 </Range>', 2), /other ranges than it counts/],
  ['a size that does not fit', old('<Range> 1 </Range>', 1).replace('40960', '4096000'), /counts other blocks/],
  ['no size', old('<Range> 1 </Range>', 1).replace('ImageSize', 'ImageSum'), /lacks `ImageSize`/],
]

for (const [what, text, says] of wrong) {
  test(`refused: ${what}`, (t) => {
    t.throws(() => parseBmap(text, 'a.bmap'), { message: says, code: 'IMAGE_INVALID' })
  })
}
