import { createHash } from 'node:crypto'
import { asSha256, type Sha256 } from '../core/digest.ts'
import { spawnTool, type Tools } from './sandbox.ts'

/** One order, one form, nothing that reading changes; owners by number. */
const canonical = [
  '--sort=name',
  '--numeric-owner',
  '--format=posix',
  '--xattrs',
  '--xattrs-include=*',
  '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
]

/**
 * SHA-256 over the canonical tar of a folder: names, modes, owners, times, links, extended attributes, content. Reads
 * everything, at about a gigabyte a second, but for the paths of `exclude`.
 */
export const digestFolder = async (
  tools: Tools,
  folder: string,
  options: { exclude?: readonly string[]; signal?: AbortSignal } = {},
): Promise<Sha256> => {
  const { exclude = [], signal } = options
  const left = exclude.map((path) => `--exclude=./${path}`)
  const tar = spawnTool(tools, ['tar', '--create', `--directory=${folder}`, ...left, ...canonical, '.'], {
    readOnly: [folder],
    // overlayfs's own attributes (whiteouts of folders) are only shown to the administrator.
    privileged: true,
    ...(signal ? { signal } : {}),
  })
  const hash = createHash('sha256')
  for await (const chunk of tar.stdout) hash.update(chunk as Uint8Array)
  const { exitCode } = await tar
  signal?.throwIfAborted()
  if (exitCode !== 0) throw new Error(`tar could not read all of ${folder} (status ${exitCode})`)
  return asSha256(hash.digest('hex'))
}
