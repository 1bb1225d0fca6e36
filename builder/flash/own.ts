import type { Patch } from '../image/fat-add.ts'
import type { Buffers } from './buffers.ts'

/** Bytes of the shared memory that one drive alone gets. */
export interface OwnWrite {
  /** In the shared memory. */
  offset: number
  length: number
  /** On the drive. */
  position: number
}

/** How much memory what single drives get takes. */
export const countOwn = (own: readonly (readonly Patch[])[]): number =>
  own.flat().reduce((sum, { bytes }) => sum + bytes.length, 0)

/** Lay what each drive gets into the shared memory, which has room for it: whole sectors, one after the other. */
export const layOwn = (
  own: readonly (readonly Patch[])[],
  { bytes: memory, ownOffset }: Pick<Buffers, 'bytes' | 'ownOffset'>,
): OwnWrite[][] => {
  let offset = ownOffset
  return own.map((patches) =>
    patches.map(({ position, bytes }) => {
      const write = { offset, length: bytes.length, position }
      memory.set(bytes, offset)
      offset += bytes.length
      return write
    }),
  )
}
