import { hashFile, isSha256 } from '../core/digest.ts'
import { errnoOf, PibakeError } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import { readIfThere } from '../core/file.ts'

/**
 * Compare an image with the `.sha256` beside it (a line as sha256sum(1) writes it). Without one, that is said and
 * nothing is compared. Throws `IMAGE_INVALID` when they differ, or when that file holds no digest.
 */
export const verifyImage = async (image: string, options: { emit: Emit; signal?: AbortSignal }): Promise<void> => {
  const { emit, signal } = options
  const digestPath = `${image}.sha256`
  const text = await readIfThere(digestPath)
  if (text === undefined) {
    emit({ type: 'notice', level: 'info', message: `There is no \`${digestPath}\`: the image is tested as it is.` })
    return
  }
  const expected = text.trim().split(/\s+/)[0] ?? ''
  if (!isSha256(expected)) {
    throw new PibakeError('IMAGE_INVALID', `\`${digestPath}\` holds no SHA-256.`, {
      hint: 'Copy it again together with its image, or remove it to test the image as it is.',
    })
  }
  await runStep(emit, { id: 'verify', title: 'Compare the image with its SHA-256' }, async () => {
    const found = await hashFile(image, signal ? { signal } : {}).catch((cause: unknown) => {
      signal?.throwIfAborted()
      throw new PibakeError('IMAGE_INVALID', `\`${image}\` cannot be read (${errnoOf(cause) ?? String(cause)}).`, {
        hint: 'Name an image, such as `images/pub.img`.',
        cause,
      })
    })
    if (found === expected) return
    throw new PibakeError('IMAGE_INVALID', `\`${image}\` is not the image that was baked: its SHA-256 differs.`, {
      hint: `It is damaged or was changed since. Bake or copy it again, or remove \`${digestPath}\` to test it as it is.`,
      details: [`found     ${found}`, `expected  ${expected}`],
    })
  })
}
