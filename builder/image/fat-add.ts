import type { FileHandle } from 'node:fs/promises'
import type { Fat } from './fat.ts'
import { decodeFolder, encodeRecord, folderEnd, shortNames } from './fat-folder.ts'
import { readAt, sectorBytes } from './table.ts'

/** Bytes that are to be written, whole sectors at a sector's start. */
export interface Patch {
  /** From the start of the image or drive. */
  position: number
  bytes: Buffer
}

/** What a FAT32 has to be told when files are added to its top folder. */
export interface FatFiles {
  /** By name: letters, digits, `-` and `_`. */
  files: ReadonlyMap<string, Buffer>
  /** Their time, in seconds since 1970; a FAT takes it without a time zone. */
  timeSeconds: number
}

const firstCluster = 2
const lastLink = 0x0fff_ffff
const linkMask = 0x0fff_ffff

/** A part of the file system: as it was, and as it is to be. */
interface Area {
  /** From the start of the partition. */
  offset: number
  before: Buffer
  after: Buffer
}

/** The sectors of an area that have changed, neighbours in one piece. */
const changedSectors = ({ offset, before, after }: Area): Patch[] => {
  const patches: Patch[] = []
  let from: number | undefined
  for (let at = 0; at <= after.length; at += sectorBytes) {
    const isChanged =
      at < after.length && !after.subarray(at, at + sectorBytes).equals(before.subarray(at, at + sectorBytes))
    if (isChanged) from ??= at
    else if (from !== undefined) {
      patches.push({ position: offset + from, bytes: after.subarray(from, at) })
      from = undefined
    }
  }
  return patches
}

/** The file system as far as adding files needs it: its table, its top folder, its count of what is free. */
const readParts = async (file: FileHandle, offset: number, fat: Fat) => {
  const read = async (position: number, sizeBytes: number): Promise<Buffer> => {
    const bytes = await readAt(file, offset + position, sizeBytes)
    if (bytes === undefined) throw new Error('the FAT lies beyond the end of the file')
    return bytes
  }
  const table = await read(fat.tableOffset, fat.tableBytes)
  const top: number[] = []
  for (let at = fat.topCluster; at >= firstCluster && at < 0x0fff_fff8; at = table.readUInt32LE(4 * at) & linkMask) {
    if (top.length > 4096 || 4 * at + 4 > table.length) throw new Error('a chain of clusters leads nowhere')
    top.push(at)
  }
  const clusterOffset = (cluster: number): number => fat.dataOffset + (cluster - firstCluster) * fat.clusterBytes
  const folder = Buffer.concat(await Promise.all(top.map((at) => read(clusterOffset(at), fat.clusterBytes))))
  const info = fat.infoOffset === undefined ? undefined : await read(fat.infoOffset, sectorBytes)
  return { table, top, folder, info, clusterOffset }
}

/**
 * What has to be written so that the FAT32 at `offset` of an image has these files in its top folder besides what it has;
 * undefined when one of them is there already, or no room is left. Only sectors that change are in it.
 */
export const addFatFiles = async (
  image: { file: FileHandle; offset: number; fat: Fat },
  { files, timeSeconds }: FatFiles,
): Promise<Patch[] | undefined> => {
  const { file, offset, fat } = image
  const { table, top, folder, info, clusterOffset } = await readParts(file, offset, fat)
  const present = new Set(decodeFolder(folder).map(({ name }) => name.toLowerCase()))
  if ([...files.keys()].some((name) => present.has(name.toLowerCase()))) return undefined

  const newTable = Buffer.from(table)
  const clusters = Math.min(Math.floor((fat.sizeBytes - fat.dataOffset) / fat.clusterBytes), table.length / 4 - 2)
  let next = firstCluster
  /** Free clusters, linked with each other; undefined when there are not so many. */
  const allocate = (count: number): number[] | undefined => {
    const chain: number[] = []
    for (; chain.length < count && next < clusters + firstCluster; next += 1) {
      if ((newTable.readUInt32LE(4 * next) & linkMask) === 0) chain.push(next)
    }
    if (chain.length < count) return undefined
    for (const [index, at] of chain.entries()) newTable.writeUInt32LE(chain[index + 1] ?? lastLink, 4 * at)
    return chain
  }

  const areas: Area[] = []
  let allocated = 0
  const place = (content: Buffer): number[] | undefined => {
    const chain = allocate(Math.ceil(content.length / fat.clusterBytes))
    for (const [index, at] of chain?.entries() ?? []) {
      const after = Buffer.alloc(fat.clusterBytes)
      content.copy(after, 0, index * fat.clusterBytes)
      // What such a cluster held is not known: all of it is written.
      areas.push({ offset: clusterOffset(at), before: Buffer.alloc(0), after })
    }
    allocated += chain?.length ?? 0
    return chain
  }

  const taken = shortNames(folder)
  const entries: Buffer[] = []
  for (const [name, content] of files) {
    const chain = place(content)
    if (!chain) return undefined
    const record = { name, cluster: chain[0] ?? 0, sizeBytes: content.length, mtimeSeconds: timeSeconds }
    entries.push(encodeRecord(record, taken))
  }
  const added = Buffer.concat(entries)
  const end = folderEnd(folder)
  const newFolder = Buffer.from(folder)
  const copied = added.copy(newFolder, end)
  if (copied < added.length) {
    const more = place(added.subarray(copied))
    const last = top.at(-1)
    if (!more || last === undefined) return undefined
    newTable.writeUInt32LE(more[0] ?? lastLink, 4 * last)
  }
  for (const [index, at] of top.entries()) {
    const [from, to] = [index * fat.clusterBytes, (index + 1) * fat.clusterBytes]
    areas.push({ offset: clusterOffset(at), before: folder.subarray(from, to), after: newFolder.subarray(from, to) })
  }
  for (let copy = 0; copy < fat.tables; copy += 1) {
    areas.push({ offset: fat.tableOffset + copy * fat.tableBytes, before: table, after: newTable })
  }
  if (info && fat.infoOffset !== undefined) {
    const newInfo = Buffer.from(info)
    const free = info.readUInt32LE(488)
    if (free !== 0xffff_ffff) newInfo.writeUInt32LE(Math.max(0, free - allocated), 488)
    newInfo.writeUInt32LE(next, 492)
    areas.push({ offset: fat.infoOffset, before: info, after: newInfo })
  }
  return areas
    .flatMap(changedSectors)
    .map(({ position, bytes }) => ({ position: offset + position, bytes }))
    .sort((a, b) => a.position - b.position)
}
