import type { Fat } from '../image/fat.ts'
import { byCodeUnit, joinPath } from './entry-name.ts'
import { type Entry, type Medium, pieceBytes, type Volume } from './volume.ts'

const attribute = { volume: 0x08, folder: 0x10, longName: 0x0f } as const
/** Bits of byte 12: the base name, or the ending, of a short name is meant in small letters. */
const small = { base: 0x08, ending: 0x10 } as const
const firstCluster = 2
/** Where the thirteen UTF-16 units of a name are in each of its entries. */
const unitOffsets = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30] as const

interface Record {
  name: string
  isFolder: boolean
  cluster: number
  sizeBytes: number
  mtimeSeconds: number
}

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
const decodeFolder = (content: Buffer): Record[] => {
  const records: Record[] = []
  let long = ''
  for (let at = 0; at + 32 <= content.length && content[at] !== 0; at += 32) {
    const bytes = content.subarray(at, at + 32)
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
  return records.sort((a, b) => byCodeUnit(a.name, b.name))
}

/** Read the entries of the FAT32 of a partition. Throws IMAGE_INVALID where a chain of clusters is damaged. */
export const readFatVolume = (medium: Medium, fat: Fat): Volume => {
  const { clusterBytes, dataOffset } = fat
  const table = medium.read(fat.tableOffset, fat.tableBytes)
  const clusters = Math.min(Math.floor((fat.sizeBytes - dataOffset) / clusterBytes), table.length / 4 - firstCluster)
  const linkOf = (cluster: number): number => table.readUInt32LE(4 * cluster) & 0x0fff_ffff
  const damaged = (): Error => medium.invalid('has a damaged FAT: a chain of clusters leads nowhere')

  /** Stretches of clusters that lie one after the other, as cluster and count. */
  function* chain(start: number): Generator<{ first: number; count: number }> {
    let run = { first: start, count: 0 }
    let seen = 0
    for (let cluster = start; cluster < 0x0fff_fff8; cluster = linkOf(cluster)) {
      seen += 1
      if (cluster < firstCluster || cluster >= clusters + firstCluster || seen > clusters) throw damaged()
      if (cluster === run.first + run.count) run.count += 1
      else {
        yield run
        run = { first: cluster, count: 1 }
      }
    }
    yield run
  }
  function* readChain(start: number): Generator<Buffer> {
    for (const { first, count } of chain(start)) {
      const from = dataOffset + (first - firstCluster) * clusterBytes
      for (let done = 0; done < count * clusterBytes; done += pieceBytes) {
        yield medium.read(from + done, Math.min(count * clusterBytes - done, pieceBytes))
      }
    }
  }

  const entries = new Map<string, Entry>()
  const top: Record = {
    name: '',
    isFolder: true,
    cluster: medium.read(0, 512).readUInt32LE(44),
    sizeBytes: 0,
    mtimeSeconds: 0,
  }
  const pending: { path: string; record: Record }[] = [{ path: '/', record: top }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path, record } = next
    const { cluster, sizeBytes, mtimeSeconds } = record
    let count = 0
    if (cluster !== 0) for (const run of chain(cluster)) count += run.count
    if (!record.isFolder && count * clusterBytes < sizeBytes) throw damaged()
    entries.set(path, {
      path,
      kind: record.isFolder ? 'folder' : 'file',
      sizeBytes: record.isFolder ? 0 : sizeBytes,
      usedBytes: count * clusterBytes,
      mtimeSeconds,
      inode: cluster,
    })
    if (!record.isFolder) continue
    if (path.length > 4096) throw damaged()
    const children = decodeFolder(Buffer.concat([...readChain(cluster)]))
    for (const child of children.toReversed()) pending.push({ path: joinPath(path, child.name), record: child })
  }

  let used = 0
  for (let cluster = firstCluster; cluster < clusters + firstCluster; cluster += 1) if (linkOf(cluster) !== 0) used += 1
  return {
    kind: 'fat',
    label: fat.label,
    id: fat.volumeId,
    sizeBytes: fat.sizeBytes,
    usedBytes: dataOffset + used * clusterBytes,
    features: [],
    entries,
    *readFile({ inode, sizeBytes }) {
      if (inode === 0) return
      let left = sizeBytes
      for (const piece of readChain(inode)) {
        if (left <= 0) return
        yield piece.subarray(0, Math.min(left, piece.length))
        left -= piece.length
      }
    },
  }
}
