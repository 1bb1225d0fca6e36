import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { PibakeError } from '../core/error.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import { makeScratch } from '../host/scratch.ts'
import { type BaseImage, inspectBase, type PartitionPlace } from './open.ts'
import { writeSparse } from './sparse.ts'
import { invalidImage } from './table.ts'

const pieceBytes = 1 << 20

const readPart = async function* (path: string, { offsetBytes, sizeBytes }: PartitionPlace): AsyncGenerator<Buffer> {
  await using file = await open(path, 'r')
  for (let done = 0; done < sizeBytes; ) {
    const buffer = Buffer.alloc(Math.min(pieceBytes, sizeBytes - done))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offsetBytes + done)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
    done += bytesRead
  }
}

/** What a checker finds, its own lines; undefined when it is content. */
const complaintOf = async (work: Promise<unknown>): Promise<readonly string[] | undefined> => {
  try {
    await work
    return undefined
  } catch (error) {
    if (!(error instanceof PibakeError) || error.code !== 'COMMAND_FAILED') throw error
    return error.details.filter((line) => !/^(?:e2fsck|fsck\.fat) \d|^Pass \d/.test(line))
  }
}

const refuse = (path: string, what: string, details: readonly string[]): PibakeError =>
  new PibakeError('IMAGE_INVALID', `\`${path}\` has errors in its ${what}.`, {
    hint: 'Take a fresh copy of the image: one that was mounted, used or copied off a card may not be whole.',
    details: details.filter((line) => line.trim() !== '').slice(0, 12),
  })

/**
 * Look into an image as `inspectBase` does, and let e2fsck(8) and fsck.fat(8) read its file systems without changing
 * anything. `label` is what errors call it. Throws `IMAGE_INVALID` with what the checkers say.
 */
export const checkBase = async (options: {
  tools: Tools
  path: string
  label: string
  /** A folder for a copy of the boot partition, for fsck.fat knows no offset. */
  scratch: string
  signal?: AbortSignal
}): Promise<BaseImage> => {
  const { tools, path, label, scratch } = options
  const signal = options.signal ? { signal: options.signal } : {}
  const image = await inspectBase(path).catch((error: unknown) => {
    throw error instanceof PibakeError && error.code === 'IMAGE_INVALID'
      ? invalidImage(label, error.message.replace(/^`[^`]*` /, '').replace(/\.$/, ''), error)
      : error
  })
  const place = `${path}?offset=${image.root.offsetBytes}`
  const ext4 = await complaintOf(runTool(tools, ['e2fsck', '-fn', place], { readOnly: [path], ...signal }))
  if (ext4) throw refuse(label, `root file system (partition ${image.root.number}, ext4)`, ext4)
  await using folder = await makeScratch(scratch)
  const boot = join(folder.path, 'boot.fat')
  await writeSparse(boot, readPart(path, image.boot))
  const fat = await complaintOf(runTool(tools, ['fsck.fat', '-n', boot], { readOnly: [boot], ...signal }))
  if (fat) throw refuse(label, `boot file system (partition ${image.boot.number}, FAT)`, fat)
  return image
}
