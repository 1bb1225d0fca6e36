import type { Entry, Volume } from '../../builder/inspect/volume.ts'

/** What an entry of `volumeOf` is: a file's content, or where a link leads. */
export type Content = string | { link: string }

/** A small ext4 as the readers see one, from paths and contents; folders are made where they are missing. */
export const volumeOf = (files: Readonly<Record<string, Content>>): Volume => {
  const entries = new Map<string, Entry>()
  const contents = new Map<string, Buffer>()
  let inode = 2
  const add = (path: string, entry: Pick<Entry, 'kind' | 'sizeBytes'> & { target?: string }): void => {
    const usedBytes = entry.kind === 'file' ? Math.ceil(entry.sizeBytes / 4096) * 4096 : 0
    entries.set(path, { path, ...entry, usedBytes, mtimeSeconds: 0, owner: { mode: 0o644, uid: 0, gid: 0 }, inode })
    inode += 1
  }
  add('/', { kind: 'folder', sizeBytes: 0 })
  for (const [path, content] of Object.entries(files)) {
    const parts = path.split('/').slice(1, -1)
    for (const [index] of parts.entries()) {
      const folder = `/${parts.slice(0, index + 1).join('/')}`
      if (!entries.has(folder)) add(folder, { kind: 'folder', sizeBytes: 0 })
    }
    if (typeof content === 'string') {
      contents.set(path, Buffer.from(content))
      add(path, { kind: 'file', sizeBytes: Buffer.byteLength(content) })
    } else add(path, { kind: 'link', sizeBytes: content.link.length, target: content.link })
  }
  return {
    kind: 'ext4',
    label: 'rootfs',
    id: '11111111-2222-4333-8444-555555555555',
    sizeBytes: 64 << 20,
    usedBytes: [...entries.values()].reduce((sum, { usedBytes }) => sum + usedBytes, 1 << 20),
    features: [],
    entries,
    readFile: ({ path }) => [contents.get(path) ?? Buffer.alloc(0)],
  }
}
