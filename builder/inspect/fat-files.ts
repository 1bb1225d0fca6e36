import type { Fat } from '../image/fat.ts'
import { decodeFolder, type FatRecord } from '../image/fat-folder.ts'
import { byCodeUnit, joinPath } from './entry-name.ts'
import { type Entry, type Medium, pieceBytes, type Volume } from './volume.ts'

const firstCluster = 2

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
  const top: FatRecord = {
    name: '',
    isFolder: true,
    cluster: fat.topCluster,
    sizeBytes: 0,
    mtimeSeconds: 0,
  }
  const pending: { path: string; record: FatRecord }[] = [{ path: '/', record: top }]
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
    const children = decodeFolder(Buffer.concat([...readChain(cluster)])).sort((a, b) => byCodeUnit(a.name, b.name))
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
