import { crc32, deflateRawSync } from 'node:zlib'

export interface ZipMember {
  name: string
  data: Buffer
  /** Stored as it is, otherwise deflated. */
  isStored?: boolean
  /** State sizes and offset in the extra field of members beyond 4 GiB. */
  isWide?: boolean
}

const u16 = (value: number): Buffer => Buffer.from([value & 0xff, value >> 8])
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value >>> 0)
  return bytes
}
const u64 = (value: number): Buffer => Buffer.concat([u32(value), u32(0)])

/** A zip archive of these members (PKWARE's APPNOTE 6.3). */
export const makeZip = (members: readonly ZipMember[], { isWide = false } = {}): Buffer => {
  const parts: Buffer[] = []
  const central: Buffer[] = []
  let offset = 0
  for (const { name, data, isStored = false, isWide: wide = false } of members) {
    const packed = isStored ? data : deflateRawSync(data)
    const bytes = Buffer.from(name)
    const kind = [u16(20), u16(0), u16(isStored ? 0 : 8), u32(0), u32(crc32(data))]
    const local = [u32(0x04034b50), ...kind, u32(packed.length), u32(data.length), u16(bytes.length), u16(0), bytes]
    const extra = wide
      ? Buffer.concat([u16(1), u16(24), u64(data.length), u64(packed.length), u64(offset)])
      : Buffer.alloc(0)
    const sizes = wide ? [u32(-1), u32(-1)] : [u32(packed.length), u32(data.length)]
    const place = [u16(0), u16(0), u16(0), u32(0), wide ? u32(-1) : u32(offset)]
    const lengths = [u16(bytes.length), u16(extra.length)]
    central.push(Buffer.concat([u32(0x02014b50), u16(20), ...kind, ...sizes, ...lengths, ...place, bytes, extra]))
    const entry = Buffer.concat([...local, packed])
    parts.push(entry)
    offset += entry.length
  }
  const directory = Buffer.concat(central)
  const count = members.length
  const end64 = [u32(0x06064b50), u64(44), u16(45), u16(45), u32(0), u32(0), u64(count), u64(count)]
  const wideEnd = isWide
    ? [...end64, u64(directory.length), u64(offset), u32(0x07064b50), u32(0), u64(offset + directory.length), u32(1)]
    : []
  const counts = isWide ? [u16(0xffff), u16(0xffff), u32(-1), u32(-1)] : [u16(count), u16(count)]
  const places = isWide ? [] : [u32(directory.length), u32(offset)]
  return Buffer.concat([...parts, directory, ...wideEnd, u32(0x06054b50), u16(0), u16(0), ...counts, ...places, u16(0)])
}
