import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { errnoOf } from '../core/error.ts'
import { parseStanzas, type Stanza } from './deb822.ts'

/** An address and a suite from which apt is set to take packages. */
export interface AptSource {
  uri: string
  suite: string
  components: readonly string[]
  /** Architectures that it is for; all that dpkg knows when empty. */
  architectures: readonly string[]
  /** Paths of keyrings, or one key, ASCII-armoured; the keyrings for everything when undefined. */
  signedBy: string | undefined
}

const words = (text: string | undefined, separator = /\s+/): string[] =>
  text?.split(separator).filter((word) => word !== '') ?? []

/** Entries of apt's one-line format: `deb [options] uri suite component…`, sources.list(5). */
export const parseOneLineSources = (text: string): AptSource[] =>
  text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)([^#]*)/.exec(line)
    const [, bracket, uri, suite, rest] = match ?? []
    if (uri === undefined || suite === undefined) return []
    const options = new Map(words(bracket).map((word) => [word.split('=')[0], word.slice(word.indexOf('=') + 1)]))
    const architectures = words(options.get('arch'), /,/)
    return [{ uri, suite, components: words(rest), architectures, signedBy: options.get('signed-by') }]
  })

/** Entries of apt's deb822 format (`*.sources`), sources.list(5). */
export const parseDeb822Sources = (text: string): AptSource[] => [...parseStanzas(text)].flatMap(sourcesOf)

const sourcesOf = (stanza: Stanza): AptSource[] => {
  const list = (name: string): string[] => words(stanza[name])
  if (stanza.Enabled?.toLowerCase() === 'no' || !list('Types').includes('deb')) return []
  const common = {
    components: list('Components'),
    architectures: list('Architectures'),
    // Of a key in the field itself, a line with a point stands for an empty one.
    signedBy: stanza['Signed-By']?.trim().replaceAll(/\n[ \t]+(?:\.$)?/gm, '\n'),
  }
  return list('URIs').flatMap((uri) => list('Suites').map((suite) => ({ uri, suite, ...common })))
}

/** All entries of apt's configuration below `folder` (`/etc/apt`) in apt's own order, with the names of their files. */
export const readAptSources = async (folder: string): Promise<(AptSource & { file: string })[]> => {
  const paths = [join(folder, 'sources.list')]
  const parts = join(folder, 'sources.list.d')
  for (const name of (await listIfPresent(parts)).sort()) {
    if (name.endsWith('.list') || name.endsWith('.sources')) paths.push(join(parts, name))
  }
  const sources: (AptSource & { file: string })[] = []
  for (const path of paths) {
    const text = await readIfPresent(path)
    const found = path.endsWith('.sources') ? parseDeb822Sources(text) : parseOneLineSources(text)
    sources.push(...found.map((source) => ({ ...source, file: basename(path) })))
  }
  return sources
}

const readIfPresent = (path: string): Promise<string> => readFile(path, 'utf8').catch(absent(''))
const listIfPresent = (path: string): Promise<string[]> => readdir(path).catch(absent<string[]>([]))

const absent =
  <T>(value: T) =>
  (error: unknown): T => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return value
    throw error
  }
