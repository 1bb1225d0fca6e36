import { readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/**
 * What bwrap(1) is to be told to show a folder of a tree (`source`) at `target`, read-only. Where `paths` lie below that, the
 * folders on the way to them are made anew with what the tree has beside it, for in one that is read-only there is no making
 * the mount points that the tree has not.
 */
export const bindFolder = (source: string, target: string, paths: readonly string[]): string[] => {
  const below = paths.filter((path) => path.startsWith(`${target}/`))
  if (below.length === 0) return ['--ro-bind', source, target]
  const entries = readdirSync(source, { withFileTypes: true }).flatMap((entry) => {
    const [from, to] = [join(source, entry.name), join(target, entry.name)]
    if (entry.isSymbolicLink()) return ['--symlink', readlinkSync(from), to]
    return entry.isDirectory() ? bindFolder(from, to, below) : ['--ro-bind', from, to]
  })
  return ['--dir', target, ...entries]
}
