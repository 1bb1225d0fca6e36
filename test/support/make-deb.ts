import { mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { create } from 'tar'

/** A file's content, or where a link points. */
export type Content = string | { link: string }

const packers = { gz: gzipSync, zst: zstdCompressSync, '': (data: Buffer) => data } as const

/** A tar archive with these paths below `./`, as dpkg-deb makes them. */
const tarOf = async (files: Readonly<Record<string, Content>>): Promise<Buffer> => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-test-tar-'))
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, 'root', path)), { recursive: true })
    if (typeof content === 'string') await writeFile(join(folder, 'root', path), content)
    else await symlink(content.link, join(folder, 'root', path))
  }
  await mkdir(join(folder, 'root'), { recursive: true })
  await create({ cwd: join(folder, 'root'), file: join(folder, 'x.tar'), portable: true }, ['.'])
  return readFile(join(folder, 'x.tar'))
}

/** One member of an ar archive: its 60-byte header, the content, and the padding to an even length. */
export const arMember = (name: string, data: Buffer): Buffer => {
  const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(data.length).padEnd(10)}\`\n`
  return Buffer.concat([Buffer.from(header, 'latin1'), data, Buffer.from(data.length % 2 === 1 ? '\n' : '')])
}

/** Write a .deb with these control and data files, and return its path. */
export const makeDeb = async (
  path: string,
  options: {
    control: Readonly<Record<string, string>>
    data: Readonly<Record<string, Content>>
    compression?: keyof typeof packers
  },
): Promise<string> => {
  const compression = options.compression ?? 'gz'
  const suffix = compression === '' ? '' : `.${compression}`
  const pack = packers[compression]
  const deb = [
    Buffer.from('!<arch>\n'),
    arMember('debian-binary', Buffer.from('2.0\n')),
    arMember(`control.tar${suffix}`, pack(await tarOf(options.control))),
    arMember(`data.tar${suffix}`, pack(await tarOf(options.data))),
  ]
  await writeFile(path, Buffer.concat(deb))
  return path
}
