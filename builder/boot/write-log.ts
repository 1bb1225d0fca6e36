import { type FileHandle, open } from 'node:fs/promises'

/**
 * What QEMU's `blklogwrites` driver writes: every write of a guest to its disk, in order, with the flushes between them.
 * Format: Documentation/admin-guide/device-mapper/log-writes.rst of Linux, with sectors of 512 bytes.
 */
export interface WriteLogEntry {
  /** Where the guest wrote, in bytes from the start of its disk. */
  offset: number
  lengthBytes: number
  /** Where the bytes are in the log. */
  dataOffset: number
  /** All earlier writes are on the disk when this entry is. */
  isFlush: boolean
  /** This write is on the disk at once (force unit access). */
  isForced: boolean
}

const sectorBytes = 512
const magic = 0x6a736677736872n
const flags = { flush: 1n, forced: 2n, discard: 4n, mark: 8n } as const

const readExactly = async (file: FileHandle, position: number, length: number): Promise<Buffer | undefined> => {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position)
  return bytesRead === length ? buffer : undefined
}

/**
 * The writes and flushes that a log holds, in the order in which the guest was told that they were done. An entry whose
 * end is missing, because QEMU was ended while it wrote it, is left out. A discard counts as nothing: what it leaves on
 * the disk is not defined.
 */
export const readWriteLog = async (path: string): Promise<WriteLogEntry[]> => {
  await using file = await open(path)
  const { size } = await file.stat()
  const superblock = await readExactly(file, 0, sectorBytes)
  if (superblock?.readBigUInt64LE(0) !== magic || superblock.readUInt32LE(24) !== sectorBytes) {
    throw new Error(`${path} is no log of writes with sectors of ${sectorBytes} bytes`)
  }
  const entries: WriteLogEntry[] = []
  let position = sectorBytes
  for (;;) {
    const header = await readExactly(file, position, sectorBytes)
    if (!header) return entries
    const sectors = Number(header.readBigUInt64LE(8))
    const kind = header.readBigUInt64LE(16)
    const dataOffset = position + sectorBytes
    const isDiscard = (kind & flags.discard) !== 0n
    const lengthBytes = isDiscard ? 0 : sectors * sectorBytes
    if (dataOffset + lengthBytes > size) return entries
    position = dataOffset + lengthBytes
    entries.push({
      offset: Number(header.readBigUInt64LE(0)) * sectorBytes,
      lengthBytes,
      dataOffset,
      isFlush: (kind & flags.flush) !== 0n,
      isForced: (kind & flags.forced) !== 0n,
    })
  }
}

/**
 * The writes that a disk holds when the power fails after the first `count` entries: all up to the last flush among
 * them, and of the later ones those that are forced or that `keep` says had reached it, for a disk may put them down in
 * any order.
 */
export const survivingWrites = (
  entries: readonly WriteLogEntry[],
  count: number,
  keep: () => boolean,
): WriteLogEntry[] => {
  const before = entries.slice(0, count)
  const flushed = before.findLastIndex(({ isFlush }) => isFlush)
  return before.filter(
    ({ lengthBytes, isForced }, index) => lengthBytes > 0 && (index <= flushed || isForced || keep()),
  )
}

/** Put writes of a log onto a disk of the same size, a file of raw bytes. */
export const replayWrites = async (options: {
  log: string
  disk: string
  writes: readonly WriteLogEntry[]
}): Promise<void> => {
  await using log = await open(options.log)
  await using disk = await open(options.disk, 'r+')
  for (const { offset, lengthBytes, dataOffset } of options.writes) {
    const bytes = await readExactly(log, dataOffset, lengthBytes)
    if (!bytes) throw new Error(`${options.log} ends within a write`)
    await disk.write(bytes, 0, lengthBytes, offset)
  }
}
