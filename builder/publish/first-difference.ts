import { openImage, readAt, readPartitionTable, sectorBytes } from '../image/table.ts'

const pieceBytes = 4 << 20

/** Where the bytes of two images part. */
export interface FirstDifference {
  offsetBytes: number
  /** The partition that this is in; undefined outside all of them. */
  partition: number | undefined
}

/** The first byte at which two images differ; undefined when they are the same. Throws IMAGE_INVALID. */
export const findFirstDifference = async (
  one: string,
  other: string,
  signal?: AbortSignal,
): Promise<FirstDifference | undefined> => {
  await using a = await openImage(one)
  await using b = await openImage(other)
  const sizes = [(await a.stat()).size, (await b.stat()).size] as const
  const common = Math.min(...sizes)
  for (let position = 0; position < common; position += pieceBytes) {
    signal?.throwIfAborted()
    const length = Math.min(pieceBytes, common - position)
    const [left, right] = await Promise.all([readAt(a, position, length), readAt(b, position, length)])
    if (!left || !right || left.equals(right)) continue
    const offsetBytes = position + left.findIndex((byte, index) => byte !== right[index])
    const { partitions } = await readPartitionTable(one)
    const within = partitions.find(({ startSector, sectors }) => {
      const sector = Math.floor(offsetBytes / sectorBytes)
      return sector >= startSector && sector < startSector + sectors
    })
    return { offsetBytes, partition: within?.number }
  }
  return sizes[0] === sizes[1] ? undefined : { offsetBytes: common, partition: undefined }
}
