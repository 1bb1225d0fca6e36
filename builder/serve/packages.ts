import { lstat, readdir, readFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { hostMark } from '../deb/npm-registry.ts'
import { renderSource } from '../deb/release.ts'
import { component, debianName } from '../repository/merge.ts'
import { readRecord } from '../repository/record.ts'
import { keyringName, sourceName } from '../repository/write.ts'
import { fileContent } from './file.ts'
import { type Offer, typeOf } from './offer.ts'

/** What is offered of a repository that `pibake deb` has written. */
export interface PackageShare {
  offers: [path: string, offer: Offer][]
  /** Names of its packages, each once; without those of Debian, which only come along. */
  names: string[]
  /** Path of the file of apt sources for it. */
  source: string
}

const basePath = '/packages'

/** Plain files below a folder, as paths below it; links are not followed. */
const listFiles = async (folder: string, below = ''): Promise<string[]> => {
  const found: string[] = []
  for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
    const path = posix.join(below, entry.name)
    if (entry.isFile()) found.push(path)
    else if (entry.isDirectory()) found.push(...(await listFiles(folder, path)))
  }
  return found
}

/**
 * The repository in a folder as `pibake deb` wrote it, its packages verified when they are sent; undefined where there is
 * none.
 */
export const sharePackages = async (folder: string): Promise<PackageShare | undefined> => {
  const record = await readRecord(folder)
  const keyring = await fileContent(join(folder, keyringName))
  const dists = await lstat(join(folder, 'dists')).catch(() => undefined)
  if (!record || !keyring || !dists?.isDirectory()) return undefined
  const offers: PackageShare['offers'] = []
  for (const { file, sizeBytes, sha256 } of record.packages) {
    const content = await fileContent(join(folder, file), { sizeBytes, sha256, isVerified: true })
    const offer = { group: 'stage packages', type: typeOf('.deb'), isImmutable: true } as const
    if (content) offers.push([`${basePath}/${file}`, { ...offer, content }])
  }
  for (const path of [...(await listFiles(join(folder, 'dists'), '')).map((name) => `dists/${name}`), keyringName]) {
    const content = await fileContent(join(folder, path))
    const type = path.endsWith('.gz') ? typeOf(path) : 'text/plain; charset=utf-8'
    if (content) offers.push([`${basePath}/${path}`, { content, group: 'stage packages', type }])
  }
  const uri = `http://${hostMark}${basePath}`
  // It may have been signed with another key than the indexes of this server.
  const publicKey = await readFile(keyring.path, 'utf8')
  const text = renderSource({ uri, suite: record.suite, components: [component], publicKey })
  const source = `${basePath}/${sourceName}`
  const content = { kind: 'text', render: (host: string) => text.replaceAll(hostMark, host) } as const
  offers.push([source, { content, group: 'pages', type: typeOf(source) }])
  const own = record.packages.filter(({ from }) => from !== debianName)
  return { offers, names: [...new Set(own.map(({ name }) => name))].sort(), source }
}
