import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { Unpack } from 'tar'
import { readPackedTar, unpackTar } from './deb-members.ts'
import { runTool, type Tools } from './sandbox.ts'

const programFolders = /^(?:\.\/)?(?:usr\/)?(bin|sbin|lib|lib64)\//

/**
 * Unpack the programs and libraries of a package without any program of the host; only for the few packages that must
 * be there before tar itself is. Everything lands below `/usr`.
 */
export const extractFirst = async (path: string, root: string): Promise<void> => {
  const unpack = new Unpack({
    cwd: root,
    filter: (name) => programFolders.test(name) && !name.includes('/gconv/'),
    onReadEntry: (entry) => {
      entry.path = merged(entry.path)
      if (entry.type === 'Link' && entry.linkpath !== undefined) entry.linkpath = merged(entry.linkpath)
    },
    strict: true,
  })
  await pipeline(unpackTar(await readPackedTar(path, 'data')), unpack as unknown as NodeJS.WritableStream)
}

const merged = (path: string): string => path.replace(programFolders, 'usr/$1/')

/** What only people read, for a tree is run by programs; and 400 MB of firmware that is mostly zeros, which a tree has without them as well. */
const unneeded = [
  'usr/share/AAVMF',
  'usr/share/doc',
  'usr/share/info',
  'usr/share/lintian',
  'usr/share/locale',
  'usr/share/man',
] as const

/**
 * Unpack a package, but for what a tree has no use for, into `root` with the tar and xz of a tools tree, through the links of a merged /usr. Returns
 * the absolute paths of its files and links inside the root, without folders.
 */
export const extractWithTree = async (
  path: string,
  options: { root: string; tools: Tools; signal?: AbortSignal },
): Promise<string[]> => {
  const packed = await readPackedTar(path, 'data')
  const isXz = packed.compression === 'xz'
  const isRoot = process.getuid?.() === 0
  const argv = [
    'tar',
    '--extract',
    '--verbose',
    '--preserve-permissions',
    '--numeric-owner',
    isRoot ? '--same-owner' : '--no-same-owner',
    '--keep-directory-symlink',
    '--warning=no-timestamp',
    '--quoting-style=literal',
    ...unneeded.map((folder) => `--exclude=./${folder}/*`),
    ...(isXz ? ['--xz'] : []),
    '--directory',
    options.root,
    '--file',
    '-',
  ]
  const { stdout } = await runTool(options.tools, argv, {
    input: isXz ? packed.data : await buffer(unpackTar(packed)),
    writable: [options.root],
    ...(options.signal ? { signal: options.signal } : {}),
  })
  return stdout
    .split('\n')
    .filter((name) => name !== '' && !name.endsWith('/'))
    .map((name) => name.replace(/^\.?\//, '/'))
}
