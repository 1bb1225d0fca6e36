import { gunzipSync } from 'node:zlib'
import { PibakeError } from '../core/error.ts'

const gzipMagic = Buffer.from([0x1f, 0x8b])
/** `ARM\x64` at offset 56 of an arm64 Image (Linux, Documentation/arch/arm64/booting.rst). */
const imageMagic = { offset: 56, text: 'ARMd' }

/**
 * The uncompressed arm64 Image in a kernel file, which is what QEMU's `raspi3b` can load. Takes a plain or gzipped
 * Image; throws `IMAGE_INVALID` for anything else.
 */
export const unpackKernel = (bytes: Buffer, name: string): Buffer => {
  const kernel = bytes.subarray(0, 2).equals(gzipMagic) ? gunzipSync(bytes) : bytes
  const magic = kernel.subarray(imageMagic.offset, imageMagic.offset + imageMagic.text.length).toString('latin1')
  if (magic !== imageMagic.text) {
    throw new PibakeError('IMAGE_INVALID', `\`${name}\` on the boot partition is not a 64-bit ARM kernel.`, {
      hint: 'Bake the image again; a kernel for another architecture cannot boot here.',
    })
  }
  return kernel
}
