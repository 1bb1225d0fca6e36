import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { runTool, type Tools } from '../host/sandbox.ts'
import type { Board } from './board.ts'

const gibibyte = 1024 ** 3

/**
 * Size in bytes of the disk that a guest sees: the image and 1 GiB for its root file system to grow into. An SD card of
 * QEMU must have a power of two (hw/sd/sd.c, "SD card size has to be a power of 2").
 */
export const diskSizeBytes = (imageSizeBytes: number, board: Board): number => {
  const wanted = Math.ceil((imageSizeBytes + gibibyte) / 512) * 512
  return board === 'raspi3b' ? 2 ** Math.ceil(Math.log2(wanted)) : wanted
}

/** A throwaway disk above an image. */
export interface DiskOverlay extends AsyncDisposable {
  path: string
}

/** Make a qcow2 overlay in `folder` above `image`, which is only ever read; removed on disposal. */
export const createOverlay = async (options: {
  tools: Tools
  /** Absolute path. */
  image: string
  board: Board
  folder: string
  signal?: AbortSignal
}): Promise<DiskOverlay> => {
  const { tools, image, board, folder, signal } = options
  const path = join(folder, 'disk.qcow2')
  const { size } = await stat(image)
  const create = ['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', image, '-F', 'raw', path]
  await runTool(tools, [...create, String(diskSizeBytes(size, board))], {
    readOnly: [image],
    writable: [folder],
    ...(signal ? { signal } : {}),
  })
  return { path, [Symbol.asyncDispose]: () => rm(path, { force: true }) }
}
