import { gzipSync } from 'node:zlib'
import test from 'ava'
import { unpackKernel } from '../../builder/boot/kernel.ts'
import { PibakeError } from '../../builder/core/error.ts'

const kernel = (offset: number, magic: Buffer): Buffer => {
  const bytes = Buffer.alloc(128, 1)
  magic.copy(bytes, offset)
  return bytes
}
const image = kernel(56, Buffer.from('ARM\x64'))
const zImage = kernel(36, Buffer.from('18286f01', 'hex'))

test('an Image for 64 bits, as it is or gzipped, and a zImage for 32', (t) => {
  t.deepEqual(unpackKernel(image, 'k'), { bytes: image, bits: 64 })
  t.deepEqual(unpackKernel(gzipSync(image), 'k'), { bytes: image, bits: 64 })
  t.deepEqual(unpackKernel(zImage, 'k'), { bytes: zImage, bits: 32 })
})

test('anything else is no kernel', (t) => {
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(128), kernel(36, Buffer.from('ARM\x64'))]) {
    const error = t.throws(() => unpackKernel(bytes, 'vmlinuz'), { instanceOf: PibakeError })
    t.is(error.code, 'IMAGE_INVALID')
    t.regex(error.message, /`vmlinuz`/)
  }
})
