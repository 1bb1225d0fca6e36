import { join } from 'node:path'
import type { Blobs } from '../cache/blobs.ts'
import { hostMark, layOutRegistry, type RegistryPackage } from '../deb/npm-registry.ts'
import type { AnyLock } from '../lock/all.ts'
import type { Stage } from '../profile/schema.ts'
import { fileContent } from './file.ts'
import type { FileContent, Offer } from './offer.ts'
import { typeOf } from './offer.ts'

/** Path of the registry, without its slashes. */
const registryPath = 'npm'

/** What is offered of npm's. */
export interface NpmShare {
  offers: [path: string, offer: Offer][]
  packages: number
  sizeBytes: number
  /** Packages that locks name and the cache lacks. */
  missing: number
  /** Stages whose tree can be put together from it. */
  stages: string[]
}

interface Tarball extends RegistryPackage {
  content: FileContent
}

const group = 'npm packages'

const findTarballs = async (locks: readonly AnyLock[], blobs: Blobs) => {
  const wanted = new Map(
    locks
      .flatMap((found) => (found.kind === 'profile' ? Object.values(found.lock.npm).flat() : []))
      .map((item) => [item.sha256, item]),
  )
  const tarballs: Tarball[] = []
  for (const { name, version, integrity, sha256, sizeBytes } of wanted.values()) {
    const source = blobs.blobPath(sha256)
    const content = await fileContent(source, { sha256, sizeBytes, isVerified: true })
    if (content) tarballs.push({ name, version, integrity, source, content })
  }
  return { tarballs, missing: wanted.size - tarballs.length }
}

/** The list of versions of a package, read from its tarballs when it is first asked for. */
const offerPackument = (packument: () => Promise<string>): Offer => {
  let text: Promise<string> | undefined
  return {
    content: {
      kind: 'text',
      render: async (host) => {
        text ??= packument()
        return (await text).replaceAll(hostMark, host)
      },
    },
    group,
    type: 'application/json',
  }
}

/** How the tree of a stage is put together: what `npm ci` wants beside the registry. */
const offerTrees = async (stages: readonly Stage[]) => {
  const offers: NpmShare['offers'] = []
  const names: string[] = []
  for (const { name, folder } of stages.filter(({ npm }) => npm)) {
    const files = ['package.json', 'package-lock.json'].map(
      async (file) => [file, await fileContent(join(folder, 'npm', file))] as const,
    )
    for (const [file, content] of await Promise.all(files)) {
      // No package can be called `-`.
      if (content) offers.push([`/${registryPath}/-/${name}/${file}`, { content, group, type: typeOf(file) }])
    }
    names.push(name)
  }
  return { offers, names }
}

/** The npm packages of the cache that locks name, as a registry as far as `npm ci` and `npm install` need one. */
export const shareNpm = async (
  locks: readonly AnyLock[],
  { blobs, stages }: { blobs: Blobs; stages: readonly Stage[] },
): Promise<NpmShare> => {
  const { tarballs, missing } = await findTarballs(locks, blobs)
  const contents = new Map(tarballs.map(({ source, content }) => [source, content]))
  const offers: NpmShare['offers'] = []
  for (const { name, tarballs: items, packument } of layOutRegistry(tarballs, { path: registryPath })) {
    offers.push([`/${registryPath}/${name}`, offerPackument(packument)])
    for (const { path, item } of items) {
      const content = contents.get(item.source)
      if (content) offers.push([`/${registryPath}/${path}`, { content, group, type: typeOf(path), isImmutable: true }])
    }
  }
  const trees = await offerTrees(stages)
  return {
    offers: [...offers, ...trees.offers],
    packages: tarballs.length,
    sizeBytes: tarballs.reduce((sum, { content }) => sum + content.sizeBytes, 0),
    missing,
    stages: trees.names,
  }
}
