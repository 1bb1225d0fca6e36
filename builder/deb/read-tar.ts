import { list, type ReadEntry } from 'tar'
import type { Tree, TreeEntry } from './pack-tar.ts'

/** Hand over the bytes of an entry once all of them have been read. */
export const collectContent = (entry: ReadEntry, take: (content: Buffer) => void): void => {
  const chunks: Buffer[] = []
  entry.on('data', (chunk: Buffer) => chunks.push(chunk))
  entry.on('end', () => take(Buffer.concat(chunks)))
}

/**
 * The files and links of a tar archive that pibake itself made, by path; folders are left out. Holds everything in
 * memory: thousands of small files go into a package several times faster than by way of the disk.
 */
export const readTree = async (path: string): Promise<Tree> => {
  const tree = new Map<string, TreeEntry>()
  await list({
    file: path,
    strict: true,
    onReadEntry: (entry) => {
      if (entry.type === 'SymbolicLink') tree.set(entry.path, { kind: 'link', target: entry.linkpath ?? '' })
      if (entry.type !== 'File') return
      const mode = (entry.mode ?? 0) & 0o111 ? 0o755 : 0o644
      collectContent(entry, (bytes) => tree.set(entry.path, { kind: 'file', mode, bytes }))
    },
  })
  return tree
}
