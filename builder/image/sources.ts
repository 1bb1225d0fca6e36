import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { type Key, readKey, readKeys } from 'openpgp'
import { PibakeError } from '../core/error.ts'
import { type AptSource, readAptSources } from '../deb/apt-sources.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import type { BaseSources } from '../lock/request.ts'
import { inspectBase } from './open.ts'

/** Where keyrings lie that an image's sources name, and those for sources that name none: apt-secure(8). */
const keyFolders = ['usr/share/keyrings', 'etc/apt/keyrings', 'etc/apt/trusted.gpg.d'] as const

const isDebian = ({ uri, signedBy }: AptSource): boolean =>
  signedBy === undefined || signedBy.startsWith('-----')
    ? /^https?:\/\/([^/]+\.)?debian\.org\//.test(uri)
    : /(^|\/)debian-archive-[^/ ]*$/.test(signedBy)

const readBytes = async (path: string): Promise<Buffer | undefined> => readFile(path).catch(() => undefined)

/** The keys of a keyring, which is binary or ASCII-armoured. */
const parseKeys = async (content: Buffer): Promise<Key[]> =>
  content.toString('latin1', 0, 10) === '-----BEGIN'
    ? readKeys({ armoredKeys: content.toString('latin1') })
    : readKeys({ binaryKeys: content })

/** The keys that may sign a source, ASCII-armoured. Fingerprints in `Signed-By:` choose among those of all keyrings. */
const keysOf = async (root: string, { uri, signedBy }: AptSource): Promise<string[]> => {
  if (signedBy?.startsWith('-----')) return [(await readKey({ armoredKey: signedBy })).armor()]
  const named = signedBy?.split(/[\s,]+/) ?? []
  const paths = named.filter((word) => word.startsWith('/'))
  if (paths.length === 0) {
    const folders = named.length === 0 ? ['etc/apt/trusted.gpg.d'] : keyFolders
    for (const folder of folders) {
      const names = await readdir(join(root, folder)).catch(() => [])
      paths.push(...names.filter((name) => /\.(?:gpg|pgp|asc)$/.test(name)).map((name) => join('/', folder, name)))
    }
    if (named.length === 0) paths.push('/etc/apt/trusted.gpg')
  }
  const fingerprints = named.filter((word) => !word.startsWith('/')).map((word) => word.replace(/!$/, '').toLowerCase())
  const keys: Key[] = []
  for (const path of paths) {
    const content = await readBytes(join(root, path))
    if (content === undefined) continue
    keys.push(
      ...(await parseKeys(content).catch((cause: unknown) => {
        throw new PibakeError('IMAGE_INVALID', `The keyring \`${path}\` of the base cannot be read.`, {
          hint: 'Start from an image whose own `apt update` works.',
          cause,
        })
      })),
    )
  }
  const fitting = keys.filter((key) => {
    const own = key.getKeys().map((part) => part.getFingerprint())
    return fingerprints.length === 0 || fingerprints.some((wanted) => own.some((print) => print.endsWith(wanted)))
  })
  if (fitting.length > 0) return [...new Set(fitting.map((key) => key.toPublic().armor()))]
  throw new PibakeError('IMAGE_INVALID', `The base has no key for its source of packages \`${uri}\`.`, {
    hint: `It names ${signedBy === undefined ? 'none, and none is for all sources' : `\`${signedBy}\``}. Start from an image whose own \`apt update\` works.`,
  })
}

/** What locks call the archives of a file of sources: `raspi.list` is `raspi`; each address has a name of its own. */
const nameOf = (file: string, uri: string, names: Map<string, string>): string => {
  const known = names.get(uri)
  if (known !== undefined) return known
  const stem =
    basename(file)
      .replace(/\.(?:list|sources)$/, '')
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '') || 'source'
  const taken = new Set(['main', 'security', ...names.values()])
  let name = stem
  for (let count = 2; taken.has(name); count += 1) name = `${stem}-${count}`
  names.set(uri, name)
  return name
}

/**
 * Where the packages of a root come from besides Debian, and whether Debian's are among them, from a folder with its
 * `etc/apt`, `usr/share/keyrings` and `usr/lib/os-release`. Only what is fetched over the network counts, and for the architectures that are
 * `known`. Throws `IMAGE_INVALID` for a source
 * without a key, or one that is no suite of components.
 */
export const describeSources = async (root: string, known: readonly string[]): Promise<BaseSources> => {
  const sources = (await readAptSources(join(root, 'etc/apt'))).filter(
    ({ uri, architectures }) =>
      /^https?:/.test(uri) &&
      (architectures.length === 0 || architectures.some((architecture) => known.includes(architecture))),
  )
  const names = new Map<string, string>()
  const others: BaseSources['others'][number][] = []
  for (const source of sources.filter((candidate) => !isDebian(candidate))) {
    const { suite, components, architectures: only, file } = source
    const uri = source.uri.replace(/\/+$/, '')
    if (suite.endsWith('/') || components.length === 0) {
      throw new PibakeError('IMAGE_INVALID', `The base takes packages from \`${uri} ${suite}\`, which is no suite.`, {
        hint: 'Only archives with suites and components can be locked; take that source out of the image.',
      })
    }
    others.push({
      archive: nameOf(file, uri, names),
      ...{ uri, suite, components, architectures: only },
      keys: await keysOf(root, source),
    })
  }
  // An image of Debian's own packages may list no address of theirs, as those do that pibake bakes.
  const release = (await readBytes(join(root, 'usr/lib/os-release')))?.toString('utf8') ?? ''
  const isDebianSystem = /^ID="?debian"?$/m.test(release)
  return { debian: others.length === 0 || isDebianSystem || sources.some(isDebian), others }
}

/** Let the links of a tree that was copied out of an image lead into the tree, never to files of this machine. */
const tameLinks = async (root: string): Promise<void> => {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue
    const path = join(entry.parentPath, entry.name)
    const target = await readlink(path)
    const inside = target.startsWith('/') ? join(root, target) : resolve(dirname(path), target)
    await rm(path)
    if (!relative(root, inside).startsWith('..')) await symlink(relative(dirname(path), inside), path)
  }
}

/**
 * The same of a base image, read with debugfs(8) without mounting the image. Throws as `inspectBase` and `describeSources`
 * do.
 */
export const readBaseSources = async (
  tools: Tools,
  image: string,
  options: { architectures: readonly string[]; signal?: AbortSignal },
): Promise<BaseSources> => {
  const { architectures, signal } = options
  const { root } = await inspectBase(image)
  const folder = await mkdtemp(join(tmpdir(), 'pibake-sources-'))
  try {
    for (const path of ['etc/apt', 'usr/share/keyrings', 'usr/lib/os-release']) {
      const into = join(folder, dirname(path))
      await mkdir(into, { recursive: true })
      await runTool(tools, ['debugfs', '-R', `rdump /${path} ${into}`, `${image}?offset=${root.offsetBytes}`], {
        readOnly: [image],
        writable: [folder],
        ...(signal ? { signal } : {}),
      })
    }
    await tameLinks(folder)
    return await describeSources(folder, architectures)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
