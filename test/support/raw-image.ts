import { createCipheriv, createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeTable } from '../../builder/image/table.ts'

/** Bytes that are the same for the same seed, and do not repeat: the key stream of a cipher. */
const noise = (sizeBytes: number, seed: string): Buffer => {
  const key = createHash('md5').update(seed).digest()
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes))
}

/** A disk image in `folder`, of whole MiB, with one partition of an unknown kind that is full of noise. */
export const makeRawImage = async (folder: string, { mib = 24, seed = 'a', name = 'pi.img' } = {}): Promise<string> => {
  const table = encodeTable({
    diskId: '0badcafe',
    partitions: [{ number: 1, type: 0xda, startSector: 2048, sectors: (mib - 1) * 2048 }],
  })
  const image = noise(mib << 20, seed)
  table.copy(image)
  const path = join(folder, name)
  await writeFile(path, image)
  return path
}
