import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import test from 'ava'
import { findZippedImage } from '../../builder/image/zip.ts'
import { makeZip, type ZipMember } from '../support/make-zip.ts'
import { scratch } from '../support/scratch.ts'

const data = Buffer.from('an image\n'.repeat(1000))
const readme: ZipMember = { name: 'README.txt', data: Buffer.from('read me') }

const found: [title: string, members: ZipMember[], isWide: boolean][] = [
  ['deflated', [readme, { name: '2020-pi.img', data }], false],
  ['stored', [{ name: '2020-pi.img', data, isStored: true }, readme], false],
  ['with the fields of large members and archives', [readme, { name: '2020-pi.img', data, isWide: true }], true],
]

for (const [title, members, isWide] of found) {
  test(`finds an image that is ${title}`, async (t) => {
    const path = join(await scratch(t), 'x.zip')
    const zip = makeZip(members, { isWide })
    await writeFile(path, zip)
    const image = await findZippedImage(path)
    t.is(image.name, '2020-pi.img')
    t.is(image.sizeBytes, data.length)
    const packed = zip.subarray(image.dataOffset, image.dataOffset + image.compressedBytes)
    t.deepEqual(image.isDeflated ? inflateRawSync(packed) : packed, data)
  })
}

const whole = makeZip([{ name: 'a.img', data }])
const encrypted = Buffer.from(whole)
encrypted[encrypted.lastIndexOf(Buffer.from('PK\u0001\u0002')) + 8] = 1
const refused: [title: string, zip: Buffer, message: RegExp][] = [
  ['without an image', makeZip([readme]), /without an image/],
  [
    'of two images',
    makeZip([
      { name: 'a.img', data },
      { name: 'b.IMG', data },
    ]),
    /with 2 images/,
  ],
  ['that is cut off', whole.subarray(0, -30), /damaged or cut off: End of central directory/],
  ['that lacks its beginning', whole.subarray(40), /damaged or cut off/],
  ['with an encrypted image', encrypted, /holds `a.img` encrypted/],
]

for (const [title, zip, message] of refused) {
  test(`refuses an archive ${title}`, async (t) => {
    const path = join(await scratch(t), 'x.zip')
    await writeFile(path, zip)
    await t.throwsAsync(findZippedImage(path), { code: 'IMAGE_INVALID', message })
  })
}
