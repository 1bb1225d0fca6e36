const attribute = { volume: 0x08, folder: 0x10, longName: 0x0f, archive: 0x20 } as const
/** Bits of byte 12: the base name, or the ending, of a short name is meant in small letters. */
const small = { base: 0x08, ending: 0x10 } as const
/** Where the thirteen UTF-16 units of a name are in each of its entries. */
const unitOffsets = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30] as const

/** A name in a folder. */
export interface FatRecord {
  name: string
  isFolder: boolean
  cluster: number
  sizeBytes: number
  mtimeSeconds: number
}

/** Bytes of an entry. */
const slotBytes = 32

const decodeTime = (date: number, time: number): number =>
  Date.UTC(
    1980 + (date >> 9),
    ((date >> 5) & 0xf) - 1,
    date & 0x1f,
    time >> 11,
    (time >> 5) & 0x3f,
    (time & 0x1f) * 2,
  ) / 1000

const shortName = (bytes: Buffer): string => {
  const cases = bytes.readUInt8(12)
  // 0xe5 marks a deleted entry, so a name that begins with it has 0x05 there.
  const text = `${bytes[0] === 0x05 ? '\u00e5' : ''}${bytes.toString('latin1', bytes[0] === 0x05 ? 1 : 0, 11)}`
  const base = text.slice(0, 8).trimEnd()
  const ending = text.slice(8).trimEnd()
  const shown = (part: string, bit: number): string => (cases & bit ? part.toLowerCase() : part)
  return ending === '' ? shown(base, small.base) : `${shown(base, small.base)}.${shown(ending, small.ending)}`
}

const longPart = (bytes: Buffer): string =>
  String.fromCharCode(...unitOffsets.map((offset) => bytes.readUInt16LE(offset))).replace(/\0.*$/s, '')

/** The names in a folder's clusters, in their order: Microsoft's "FAT: General Overview of On-Disk Format", directories. */
export const decodeFolder = (content: Buffer): FatRecord[] => {
  const records: FatRecord[] = []
  let long = ''
  for (let at = 0; at + slotBytes <= content.length && content[at] !== 0; at += slotBytes) {
    const bytes = content.subarray(at, at + slotBytes)
    const kind = bytes.readUInt8(11)
    if (bytes[0] === 0xe5) long = ''
    else if ((kind & 0x3f) === attribute.longName) {
      // The last part comes first, and says so.
      long = longPart(bytes) + (bytes.readUInt8(0) & 0x40 ? '' : long)
    } else {
      const name = long || shortName(bytes)
      long = ''
      if (kind & attribute.volume || name === '.' || name === '..') continue
      records.push({
        name,
        isFolder: (kind & attribute.folder) !== 0,
        cluster: bytes.readUInt16LE(20) * 0x10000 + bytes.readUInt16LE(26),
        sizeBytes: bytes.readUInt32LE(28),
        mtimeSeconds: decodeTime(bytes.readUInt16LE(24), bytes.readUInt16LE(22)),
      })
    }
  }
  return records
}

/** The short names in a folder's clusters as they are kept: eight letters, then three. */
export const shortNames = (content: Buffer): Set<string> => {
  const names = new Set<string>()
  for (let at = 0; at + slotBytes <= content.length && content[at] !== 0; at += slotBytes) {
    const isLong = ((content[at + 11] ?? 0) & 0x3f) === attribute.longName
    if (content[at] !== 0xe5 && !isLong) names.add(content.toString('latin1', at, at + 11))
  }
  return names
}

/** Where a folder's entries end: what follows is free. */
export const folderEnd = (content: Buffer): number => {
  let at = 0
  while (at + slotBytes <= content.length && content[at] !== 0) at += slotBytes
  return at
}

/** A short name that is not taken yet, for a file whose name is a long one. */
const aliasOf = (name: string, taken: ReadonlySet<string>): string => {
  const letters = name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '')
  for (let count = 1; ; count += 1) {
    const tail = `~${count}`
    const alias = `${letters.slice(0, 8 - tail.length)}${tail}`.padEnd(11)
    if (!taken.has(alias)) return alias
  }
}

const checksum = (alias: string): number =>
  Buffer.from(alias, 'latin1').reduce((sum, byte) => (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff, 0)

const longEntries = (name: string, alias: string): Buffer[] => {
  const parts = Math.ceil(name.length / unitOffsets.length)
  return Array.from({ length: parts }, (_, index) => {
    const number = parts - index
    const entry = Buffer.alloc(slotBytes)
    entry[0] = number | (index === 0 ? 0x40 : 0)
    entry[11] = attribute.longName
    entry[13] = checksum(alias)
    for (const [at, offset] of unitOffsets.entries()) {
      const place = (number - 1) * unitOffsets.length + at
      const unit = place < name.length ? name.charCodeAt(place) : place === name.length ? 0 : 0xffff
      entry.writeUInt16LE(unit, offset)
    }
    return entry
  })
}

/** The entries of a new file, its long name before its short one; `taken` are the short names in its folder. */
export const encodeRecord = (
  { name, cluster, sizeBytes, mtimeSeconds }: Omit<FatRecord, 'isFolder'>,
  taken: Set<string>,
): Buffer => {
  const alias = aliasOf(name, taken)
  taken.add(alias)
  const entry = Buffer.alloc(slotBytes)
  entry.write(alias, 'latin1')
  entry[11] = attribute.archive
  const time = new Date(mtimeSeconds * 1000)
  const date = ((time.getUTCFullYear() - 1980) << 9) | ((time.getUTCMonth() + 1) << 5) | time.getUTCDate()
  const clock = (time.getUTCHours() << 11) | (time.getUTCMinutes() << 5) | (time.getUTCSeconds() >> 1)
  for (const offset of [16, 18, 24]) entry.writeUInt16LE(date, offset)
  for (const offset of [14, 22]) entry.writeUInt16LE(clock, offset)
  entry.writeUInt16LE(cluster >>> 16, 20)
  entry.writeUInt16LE(cluster & 0xffff, 26)
  entry.writeUInt32LE(sizeBytes, 28)
  return Buffer.concat([...longEntries(name, alias), entry])
}
