import { basename, join, parse } from 'node:path'
import { runStep } from '../core/event.ts'
import { makeScratch } from '../host/scratch.ts'
import { readArchiveKind, unpackArchive } from '../image/archive.ts'
import { chosenImage, openTools } from './chosen.ts'
import type { Context } from './context.ts'

/** An image that can be read at any place; what was unpacked for that goes when it is disposed. */
interface WholeImage extends AsyncDisposable {
  path: string
}

/**
 * The image that was named. One in an xz, gzip, zstd or zip archive is unpacked into a scratch folder first, with the
 * tools of the tools tree. Throws `IMAGE_INVALID`.
 */
export const wholeImage = async (context: Context, image: string): Promise<WholeImage> => {
  const { project, emit, signal } = context
  const path = chosenImage(image)
  const kind = await readArchiveKind(path)
  if (kind === 'image') return { path, [Symbol.asyncDispose]: async () => undefined }
  const tools = await openTools(context)
  const id = `unpack ${path}`
  const scratch = await makeScratch(project.work)
  try {
    // `pub.img.xz` holds `pub.img`; a zip archive of the same name does not say more.
    const unpacked = join(scratch.path, parse(path).name)
    await runStep(emit, { id, title: `Unpack ${basename(path)}` }, () =>
      unpackArchive(path, kind, unpacked, {
        tools,
        label: image,
        onProgress: (done, total) => emit({ type: 'step-progress', id, done, total, unit: 'bytes' }),
        signal,
      }),
    )
    return { path: unpacked, [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose]() }
  } catch (error) {
    await scratch[Symbol.asyncDispose]()
    throw error
  }
}
