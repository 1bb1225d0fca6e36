import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf } from '../core/error.ts'
import { exists } from '../core/file.ts'

const files: Readonly<Record<string, string>> = {
  'etc/passwd': [
    'root:x:0:0:root:/root:/bin/sh',
    '_apt:x:42:65534::/nonexistent:/usr/sbin/nologin',
    'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
    '',
  ].join('\n'),
  'etc/group': ['root:x:0:', 'disk:x:6:', 'nogroup:x:65534:', ''].join('\n'),
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
  'etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
  'etc/ld.so.conf': '',
  'etc/mtab': '',
}

/** Links that maintainer scripts or update-alternatives would make, where their target was unpacked. */
const links: Readonly<Record<string, string>> = {
  'usr/bin/awk': 'mawk',
  'usr/bin/which': 'which.debianutils',
  'usr/bin/pinentry': 'pinentry-curses',
}

/** Do by hand the little that the tools need of what maintainer scripts would have done in a tree that never boots. */
export const writeTreeSettings = async (root: string): Promise<void> => {
  for (const folder of ['var/tmp', 'var/lib/dpkg', 'var/lib/apt/lists/partial', 'var/cache/apt/archives/partial']) {
    await mkdir(join(root, folder), { recursive: true })
  }
  for (const [path, content] of Object.entries(files)) await writeFile(join(root, path), content)
  for (const [path, target] of Object.entries(links)) {
    if (await exists(join(root, dirname(path), target))) await linkUnlessPresent(target, join(root, path))
  }
}

const linkUnlessPresent = async (target: string, path: string): Promise<void> => {
  await symlink(target, path).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error
  })
}
