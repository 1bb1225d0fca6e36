import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Parser } from 'tar'
import { brokenDeb, readPackedTar, unpackTar } from '../host/deb-members.ts'
import { parseStanza, type Stanza } from './deb822.ts'
import { collectContent } from './read-tar.ts'

/** The files of a package's control archive by name (`control`, `postinst`, `conffiles` …), as text. */
export const readControlFiles = async (path: string): Promise<Map<string, string>> => {
  const files = new Map<string, string>()
  await readTar(path, 'control', (name, content) => files.set(name, content.toString('utf8')))
  return files
}

/** The control paragraph of a .deb: package, version, dependencies. */
export const readControl = async (path: string): Promise<Stanza> => {
  const control = (await readControlFiles(path)).get('control')
  if (control === undefined) throw brokenDeb(path, 'it has no `control` file')
  try {
    return parseStanza(control)
  } catch (cause) {
    throw brokenDeb(path, cause instanceof Error ? cause.message : String(cause))
  }
}

/** The content of a package by path without leading `./`: files with their bytes; folders and links are left out. */
export const readDataFiles = async (path: string): Promise<Map<string, Buffer>> => {
  const files = new Map<string, Buffer>()
  await readTar(path, 'data', (name, content) => files.set(name, content))
  return files
}

/** What the control archive of a package may unpack to; the largest of Debian's have a few megabytes of checksums. */
const mostControlBytes = 64 * 1024 * 1024

/** Passes the bytes of an archive on until there are too many: a package of strangers may hold more than there is memory. */
const upTo = (mostBytes: number): Transform => {
  let sizeBytes = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length
      done(sizeBytes > mostBytes ? new Error(`it unpacks to more than ${mostBytes} bytes`) : null, chunk)
    },
  })
}

const readTar = async (
  path: string,
  part: 'control' | 'data',
  take: (name: string, content: Buffer) => void,
): Promise<void> => {
  const packed = await readPackedTar(path, part)
  const parser = new Parser({
    onReadEntry: (entry) => {
      collectContent(entry, (content) => {
        if (entry.type === 'File') take(entry.path.replace(/^\.\//, ''), content)
      })
    },
  })
  try {
    const limit = upTo(part === 'control' ? mostControlBytes : Number.POSITIVE_INFINITY)
    await pipeline(unpackTar(packed), limit, parser as unknown as NodeJS.WritableStream)
  } catch (cause) {
    throw brokenDeb(path, cause instanceof Error ? cause.message : String(cause))
  }
}
