/** What an entry of a file system is. */
export type EntryKind = 'file' | 'folder' | 'link' | 'character device' | 'block device' | 'fifo' | 'socket'

/** One name in a file system. Names that are no UTF-8 have `\xNN` for each byte above 0x7f. */
export interface Entry {
  /** Path inside the file system, absolute: `/etc/fstab`; the top itself is `/`. */
  path: string
  kind: EntryKind
  /** Of a file its length, of a link that of its target, otherwise 0. */
  sizeBytes: number
  /** What it takes of the file system, by its own count: whole blocks, with those for extents and attributes. */
  usedBytes: number
  /** Last modification, seconds since 1970; FAT keeps no time zone and is read as UTC. */
  mtimeSeconds: number
  /** The lower twelve bits of the mode, and the owner; undefined on a FAT, which has none. */
  owner?: { mode: number; uid: number; gid: number }
  /** Where a link leads. */
  target?: string
  /** `major:minor` of a device. */
  device?: string
  /** Extended attributes such as `security.capability`, their values in hexadecimal; undefined where there are none. */
  attributes?: Readonly<Record<string, string>>
  /** Entries of a volume with the same number are hard links of one file. */
  inode: number
}

/** A file system in an image, its entries read and its files ready to be read. */
export interface Volume {
  kind: 'ext4' | 'fat'
  label: string
  /** UUID of an ext4, `XXXX-XXXX` of a FAT. */
  id: string
  /** What the file system manages, and what of it holds anything. */
  sizeBytes: number
  usedBytes: number
  /** Names of features, sorted; none of a FAT, undefined where one has no name here. */
  features: readonly string[] | undefined
  /** By path; folders before what they hold, names sorted by code unit. */
  entries: ReadonlyMap<string, Entry>
  /** The content of a file, in pieces of up to 1 MiB. */
  readFile(entry: Entry): Iterable<Uint8Array>
}

/** Where a volume reads from: bytes from the start of its partition. */
export interface Medium {
  /** Exactly `sizeBytes` bytes. Throws IMAGE_INVALID where the image ends before. */
  read(position: number, sizeBytes: number): Buffer
  /** The error for a file system that is damaged or not understood; `problem` goes on a sentence that names the image. */
  invalid(problem: string): Error
}

/** The largest piece that `readFile` yields. */
export const pieceBytes = 1 << 20
