import { readFile } from 'node:fs/promises'
import { Header } from 'tar'

/** What a package puts at a path; paths are relative to `/`, without a leading or trailing slash. */
export type TreeEntry =
  | { kind: 'folder' }
  | { kind: 'link'; target: string }
  /** `mode` holds the permission bits only. */
  | { kind: 'file'; mode: number; bytes: Uint8Array }
  | { kind: 'file'; mode: number; source: string }

export type Tree = ReadonlyMap<string, TreeEntry>

const blockBytes = 512

const padding = (sizeBytes: number): Buffer => Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes)

const headerBlock = (fields: ConstructorParameters<typeof Header>[0]): { block: Buffer; fits: boolean } => {
  const block = Buffer.alloc(blockBytes)
  const header = new Header(fields)
  const fits = !header.encode(block)
  return { block, fits }
}

/** GNU's record for a name that the ustar header cannot hold; dpkg reads it, and refuses pax records (deb(5)). */
const longName = (type: 'NextFileHasLongPath' | 'NextFileHasLongLinkpath', name: string): Buffer => {
  const bytes = Buffer.from(`${name}\0`)
  const fields = { path: '././@LongLink', type, size: bytes.length, mode: 0, uid: 0, gid: 0, mtime: new Date(0) }
  return Buffer.concat([headerBlock(fields).block, bytes, padding(bytes.length)])
}

const entryHeader = (path: string, entry: TreeEntry, sizeBytes: number, mtime: Date): Buffer => {
  const shown = path === '' ? './' : entry.kind === 'folder' ? `./${path}/` : `./${path}`
  const common = { path: shown, size: sizeBytes, uid: 0, gid: 0, uname: 'root', gname: 'root', mtime }
  if (entry.kind === 'link') {
    const { block, fits } = headerBlock({ ...common, type: 'SymbolicLink', mode: 0o777, linkpath: entry.target })
    if (fits) return block
    const records = [longName('NextFileHasLongPath', shown), longName('NextFileHasLongLinkpath', entry.target)]
    return Buffer.concat([...records, block])
  }
  const type = entry.kind === 'folder' ? 'Directory' : 'File'
  const mode = entry.kind === 'folder' ? 0o755 : entry.mode
  const { block, fits } = headerBlock({ ...common, type, mode })
  return fits ? block : Buffer.concat([longName('NextFileHasLongPath', shown), block])
}

/** All folders that `paths` lie in, the root (an empty path) included. */
const foldersOf = (paths: Iterable<string>): Set<string> => {
  const folders = new Set([''])
  for (const path of paths) {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) folders.add(path.slice(0, end))
  }
  return folders
}

/** The tree with the folders that its entries lie in, sorted so that a folder precedes what it holds. */
export const withFolders = (tree: Tree): [string, TreeEntry][] => {
  const folders = [...foldersOf(tree.keys())].map((path): [string, TreeEntry] => [path, { kind: 'folder' }])
  return [...new Map([...folders, ...tree])].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

/**
 * A tar archive of the tree, piece by piece: owner root, folders 0755, every time `timeSeconds`, ustar with GNU long
 * names. The bytes depend on the tree alone. `onFile` sees each file's content as it goes in.
 */
export const packTar = async function* (
  tree: Tree,
  options: { timeSeconds: number; onFile?: (path: string, bytes: Uint8Array) => void },
): AsyncGenerator<Uint8Array> {
  const mtime = new Date(options.timeSeconds * 1000)
  for (const [path, entry] of withFolders(tree)) {
    if (entry.kind !== 'file') {
      yield entryHeader(path, entry, 0, mtime)
      continue
    }
    const bytes = 'bytes' in entry ? entry.bytes : await readFile(entry.source)
    options.onFile?.(path, bytes)
    yield entryHeader(path, entry, bytes.length, mtime)
    yield bytes
    yield padding(bytes.length)
  }
  yield Buffer.alloc(2 * blockBytes)
}
