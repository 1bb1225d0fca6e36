import { readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { createCleartextMessage, createMessage, generateKey, sign } from 'openpgp'
import { describeDebs, type Kitchen } from '../../../builder/bake/kitchen.ts'
import { writeImageMirror } from '../../../builder/deb/image-mirror.ts'
import { allDebs } from '../../../builder/lock/debs.ts'

/**
 * Lay out the packages of a lock as the mirror that all peers read, in place of what is at `folder`: links into pibake's
 * cache, an index, and a signature by a key that is thrown away; `key.gpg` is its public half.
 */
export const writePeerMirror = async (kitchen: Kitchen, folder: string): Promise<void> => {
  const { lock, profile, timeSeconds } = kitchen
  await rm(folder, { recursive: true, force: true })
  await writeImageMirror(
    { root: dirname(folder), folder: basename(folder), suite: profile.suite, architecture: profile.architecture },
    { components: new Map([['main', await describeDebs(kitchen, allDebs(lock))]]), timeSeconds },
  )
  const { privateKey, publicKey } = await generateKey({
    type: 'rsa',
    rsaBits: 3072,
    userIDs: [{ name: 'mirror of the bench' }],
    format: 'object',
  })
  const dists = join(folder, 'dists', profile.suite)
  const text = await readFile(join(dists, 'Release'), 'utf8')
  const inline = await sign({ message: await createCleartextMessage({ text }), signingKeys: privateKey })
  // Lines end as they did: debootstrap reads the rest of them into its words. The signature is the same for both.
  await writeFile(join(dists, 'InRelease'), inline.replaceAll('\r\n', '\n'))
  const detached = await sign({
    message: await createMessage({ binary: Buffer.from(text) }),
    signingKeys: privateKey,
    detached: true,
  })
  await writeFile(join(dists, 'Release.gpg'), detached)
  await writeFile(join(folder, 'key.gpg'), publicKey.write())
}
