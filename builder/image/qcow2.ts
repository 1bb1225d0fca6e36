import { rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { hashFile } from '../core/digest.ts'
import { unfinishedFolder } from '../core/project.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import { makeScratch } from '../host/scratch.ts'

/** Where the qcow2 form of an image lies: beside it. */
export const qcow2Path = (image: string): string => image.replace(/\.img$/, '.qcow2')

/**
 * Write the qcow2 form of a raw image beside it, compressed by zstd (QEMU 5.1 and newer read that), and its `.sha256`. One
 * request at a time and in order, so that the same image gives the same bytes. Takes its name when complete.
 */
export const writeQcow2 = async (image: string, options: { tools: Tools; signal?: AbortSignal }): Promise<void> => {
  const { tools, signal } = options
  const cancel = signal ? { signal } : {}
  const destination = qcow2Path(image)
  await using scratch = await makeScratch(join(dirname(image), unfinishedFolder))
  const partial = join(scratch.path, basename(destination))
  const how = ['-c', '-m', '1', '-f', 'raw', '-O', 'qcow2', '-o', 'compression_type=zstd']
  await runTool(tools, ['qemu-img', 'convert', ...how, image, partial], {
    readOnly: [image],
    writable: [scratch.path],
    ...cancel,
  })
  const sum = `${partial}.sha256`
  await writeFile(sum, `${await hashFile(partial, cancel)}  ${basename(destination)}\n`, { flush: true })
  await rename(partial, destination)
  await rename(sum, `${destination}.sha256`)
}
