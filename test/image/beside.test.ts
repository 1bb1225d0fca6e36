import test from 'ava'
import { asSha256 } from '../../builder/core/digest.ts'
import { checksumFor, namesBeside } from '../../builder/image/beside.ts'

const a = asSha256('a'.repeat(64))
const b = asSha256('b'.repeat(64))

test('names are looked for as bmaptool does', (t) => {
  t.deepEqual(namesBeside('/x/pub.img.xz'), ['/x/pub.img.xz', '/x/pub.img', '/x/pub'])
  t.deepEqual(namesBeside('/x/disk'), ['/x/disk'])
})

test('a checksum is that of the name, and of no other', (t) => {
  const text = `${a}  pub.img\n${b} *build/pub.img.xz\n`
  t.is(checksumFor(text, 'pub.img'), a)
  t.is(checksumFor(text, 'pub.img.xz'), b)
  t.is(checksumFor(text, 'mesh.img'), undefined)
})

test('a checksum without a name counts when it is alone', (t) => {
  t.is(checksumFor(`${a.toUpperCase()}\n`, 'pub.img'), a)
  t.is(checksumFor(`${a}\n${b}\n`, 'pub.img'), undefined)
})
