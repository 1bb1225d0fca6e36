import { gunzipSync } from 'node:zlib'
import { PibakeError } from '../core/error.ts'

const gzipMagic = Buffer.from([0x1f, 0x8b])
/**
 * What kernels have at an offset: `ARM\x64` an arm64 Image (Linux, Documentation/arch/arm64/booting.rst), 0x016f2818 an
 * arm zImage (arch/arm/boot/compressed/head.S), little-endian.
 */
const kernelMagics = [
  { bits: 64, offset: 56, magic: Buffer.from('ARMd') },
  { bits: 32, offset: 36, magic: Buffer.from([0x18, 0x28, 0x6f, 0x01]) },
] as const

/** A kernel for ARM, and what its processor has to run. */
export interface Kernel {
  bytes: Buffer
  bits: 32 | 64
}

/**
 * The kernel in a kernel file: an uncompressed Image for arm64, plain or gzipped there, since that is what QEMU's
 * `raspi3b` can load; or a zImage for 32 bits, which unpacks itself. Throws `IMAGE_INVALID` for anything else.
 */
export const unpackKernel = (file: Buffer, name: string): Kernel => {
  const bytes = file.subarray(0, 2).equals(gzipMagic) ? gunzipSync(file) : file
  const found = kernelMagics.find(({ offset, magic }) => bytes.subarray(offset, offset + magic.length).equals(magic))
  if (found === undefined) {
    throw new PibakeError('IMAGE_INVALID', `\`${name}\` on the boot partition is not a kernel for ARM.`, {
      hint: 'Bake the image again; a kernel for another architecture cannot boot here.',
    })
  }
  return { bytes, bits: found.bits }
}
