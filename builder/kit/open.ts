import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../core/error.ts'
import { exists } from '../core/file.ts'
import { verifySignature } from './key.ts'
import { type KitManifest, kitPaths, parseManifest, refuseKit, renderSums } from './manifest.ts'

/** A finished kit whose manifest is signed; its files were not read yet. */
export interface Kit {
  folder: string
  manifest: KitManifest
  /** Of the key that signed it, which lies on the stick itself: 40 capital hexadecimal digits. */
  fingerprint: string
  /** The files that describe it, as they are, by their path. */
  texts: ReadonlyMap<string, string>
}

/** Whether the folder holds a kit that was begun and not finished. */
export const isUnfinished = (folder: string): Promise<boolean> => exists(join(folder, kitPaths.unfinished))

const unfinishedHint =
  'It was pulled out, or its copying was interrupted. Run the same `pibake kit` again: what is there already is kept.'

/**
 * Read what a kit says of itself: it is finished, its manifest is that of the signed sums, and no two of these disagree.
 * Throws `KIT_INVALID`.
 */
export const openKit = async (folder: string): Promise<Kit> => {
  if (await isUnfinished(folder)) throw refuseKit(folder, 'is not finished', { hint: unfinishedHint })
  const read = async (path: string): Promise<string> =>
    readFile(join(folder, path), 'utf8').catch((cause: unknown) => {
      const reason = errnoOf(cause) === 'ENOENT' ? `has no \`${path}\`` : `has a \`${path}\` that cannot be read`
      throw refuseKit(folder, reason, { cause })
    })
  const [text, sums, signature, key] = await Promise.all(
    [kitPaths.manifest, kitPaths.sums, kitPaths.signature, kitPaths.key].map(read),
  )
  if (text === undefined || sums === undefined || signature === undefined || key === undefined)
    throw new Error('four files')
  const fingerprint = await verifySignature(sums, signature, key).catch((cause: unknown) => {
    const details = [cause instanceof Error ? cause.message : String(cause)]
    throw refuseKit(folder, 'has checksums whose signature does not hold', { details, cause })
  })
  const manifest = parseManifest(folder, text)
  if (renderSums(text, manifest.files) !== sums) {
    throw refuseKit(folder, `has a \`${kitPaths.manifest}\` that is not what \`${kitPaths.sums}\` says`)
  }
  const texts = new Map([
    [kitPaths.manifest, text],
    [kitPaths.sums, sums],
    [kitPaths.signature, signature],
  ])
  return { folder, manifest, fingerprint, texts }
}
