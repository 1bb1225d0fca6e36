import type { Blobs } from '../cache/blobs.ts'
import { runParallel } from '../cache/parallel.ts'
import { PibakeError } from '../core/error.ts'
import { type Emit, runStep } from '../core/event.ts'
import { readControl } from '../deb/archive.ts'
import type { Stanza } from '../deb/deb822.ts'
import { hostMark } from '../deb/npm-registry.ts'
import { byHashPath, type IndexFile, renderIndex, renderSource } from '../deb/release.ts'
import { renderRelease } from '../deb/release-file.ts'
import type { SigningKey } from '../deb/signing-key.ts'
import type { AnyLock } from '../lock/all.ts'
import { allDebs } from '../lock/debs.ts'
import type { LockedDeb } from '../lock/schema.ts'
import { fileContent } from './file.ts'
import { bytesOffer, type Offer, typeOf } from './offer.ts'

/** Where the archives are, as most mirrors place them: pibake and apt find the second beside the first. */
const mainPath = '/debian'
const securityPath = '/debian-security'

/** A suite that apt of others can use. */
export interface SharedSuite {
  codename: string
  architectures: string[]
  packages: number
  sizeBytes: number
  /** Path of the file of apt sources for it. */
  source: string
}

/** What is offered of Debian's. */
export interface DebianShare {
  offers: [path: string, offer: Offer][]
  suites: SharedSuite[]
  /** Packages that locks name and the cache lacks. */
  missing: number
}

interface SuiteContent {
  codename: string
  timeSeconds: number
  debs: Map<string, LockedDeb>
}

/** Where a package lies below `/debian`: its path in Debian's archive; apart from that, for archives of others. */
const pathOf = ({ archive, path }: LockedDeb): string =>
  archive === 'main' || archive === 'security' ? path : `archive/${archive}/${path}`

/** The packages of all locks, by suite; each path once. */
const groupBySuite = (locks: readonly AnyLock[]): SuiteContent[] => {
  const suites = new Map<string, SuiteContent>()
  for (const { kind, lock } of locks) {
    const found = suites.get(lock.suite) ?? { codename: lock.suite, timeSeconds: 0, debs: new Map() }
    suites.set(lock.suite, found)
    found.timeSeconds = Math.max(found.timeSeconds, Math.floor(Date.parse(lock.time) / 1000))
    for (const deb of kind === 'tools' ? lock.debs : allDebs(lock)) found.debs.set(pathOf(deb), deb)
  }
  return [...suites.values()].sort((a, b) => (a.codename < b.codename ? -1 : 1))
}

const architecturesOf = (stanzas: readonly Stanza[]): string[] =>
  [...new Set(stanzas.map(({ Architecture = '' }) => Architecture))].filter((name) => name !== 'all').sort()

/** The signed indexes of a suite, as offers below `base`. */
const offerIndexes = async (
  base: string,
  options: { suite: string; timeSeconds: number; stanzas: readonly Stanza[]; architectures: string[]; key: SigningKey },
): Promise<[string, Offer][]> => {
  const { suite, timeSeconds, stanzas, architectures, key } = options
  const files: IndexFile[] = architectures.flatMap((architecture) =>
    renderIndex(
      'main',
      architecture,
      stanzas.filter((stanza) => stanza.Architecture === architecture || stanza.Architecture === 'all'),
    ),
  )
  const described = { suite, codename: suite, timeSeconds, byHash: true, architectures, components: ['main'] }
  const release = renderRelease({ ...described, indexes: files })
  const { inline: inRelease, detached } = await key.sign(release, timeSeconds)
  const dists = `${base}/dists/${suite}`
  const group = 'Debian packages'
  const text = { group, type: 'text/plain; charset=utf-8' } as const
  return [
    [`${dists}/InRelease`, bytesOffer(inRelease, text)],
    [`${dists}/Release`, bytesOffer(release, text)],
    [`${dists}/Release.gpg`, bytesOffer(detached, text)],
    ...files.flatMap((file): [string, Offer][] => {
      const type = file.path.endsWith('.gz') ? typeOf(file.path) : text.type
      const offer = bytesOffer(file.bytes, { group, type })
      return [
        [`${dists}/${file.path}`, offer],
        [`${dists}/${byHashPath(file)}`, { ...offer, isImmutable: true }],
      ]
    }),
  ]
}

interface Present {
  deb: LockedDeb
  offer: Offer
  stanza: Stanza
}

/** A package of the cache with its control data; undefined when it is not there or cannot be read. */
const readPresent = async (deb: LockedDeb, blobs: Blobs, emit: Emit): Promise<Present | undefined> => {
  const { sha256, sizeBytes, name, version } = deb
  const content = await fileContent(blobs.blobPath(sha256), { sha256, sizeBytes, isVerified: true })
  if (!content) return undefined
  try {
    const stanza = await readControl(content.path)
    const listed = { ...stanza, Filename: pathOf(deb), Size: String(sizeBytes), SHA256: sha256 }
    return {
      deb,
      stanza: listed,
      offer: { content, group: 'Debian packages', type: typeOf('.deb'), isImmutable: true },
    }
  } catch (error) {
    if (!(error instanceof PibakeError)) throw error
    const message = `\`${name} ${version}\` is damaged and is not offered; \`pibake cache verify\` names all that are.`
    emit({ type: 'notice', level: 'warn', message })
    return undefined
  }
}

const shareSuite = async (
  { codename, timeSeconds, debs }: SuiteContent,
  options: { blobs: Blobs; key: SigningKey; emit: Emit; onRead: () => void; signal: AbortSignal },
): Promise<DebianShare> => {
  const { blobs, key, emit, onRead, signal } = options
  const read = await runParallel([...debs.values()], 4, async (deb) => {
    signal.throwIfAborted()
    const present = await readPresent(deb, blobs, emit)
    onRead()
    return present
  })
  const present = read.filter((item) => item !== undefined)
  const missing = read.length - present.length
  const stanzas = present.map(({ stanza }) => stanza)
  const architectures = architecturesOf(stanzas)
  if (architectures.length === 0) return { offers: [], suites: [], missing }
  const security = present.filter(({ deb }) => deb.archive === 'security')
  const shared = { timeSeconds, architectures, key }
  const source = `${mainPath}/pibake-${codename}.sources`
  const uri = `http://${hostMark}${mainPath}`
  const sourceText = renderSource({ uri, suite: codename, components: ['main'], publicKey: key.publicKey })
  const offers: DebianShare['offers'] = [
    ...present.map(({ deb, offer }): [string, Offer] => [`${mainPath}/${pathOf(deb)}`, offer]),
    ...security.map(({ deb, offer }): [string, Offer] => [`${securityPath}/${deb.path}`, offer]),
    ...(await offerIndexes(mainPath, { ...shared, suite: codename, stanzas })),
    // pibake looks for this one to see whether there is an archive of security updates.
    ...(await offerIndexes(securityPath, {
      ...{ ...shared, suite: `${codename}-security` },
      stanzas: security.map(({ stanza }) => stanza),
    })),
    [
      source,
      {
        content: { kind: 'text', render: (host) => sourceText.replaceAll(hostMark, host) },
        group: 'pages',
        type: typeOf(source),
      },
    ],
  ]
  const sizeBytes = present.reduce((sum, { deb }) => sum + deb.sizeBytes, 0)
  return { offers, suites: [{ codename, architectures, packages: present.length, sizeBytes, source }], missing }
}

/**
 * The Debian packages of the cache that locks name, for other bakers at the paths of Debian's own archives, and for apt
 * with indexes that `key` signs: Debian's own signature is of an index with everything in it.
 */
export const shareDebian = async (
  locks: readonly AnyLock[],
  options: { blobs: Blobs; key: SigningKey; emit: Emit; signal: AbortSignal },
): Promise<DebianShare> => {
  const { emit, key } = options
  const contents = groupBySuite(locks)
  const total = contents.reduce((sum, { debs }) => sum + debs.size, 0)
  const id = 'serve:debian'
  const shares = await runStep(
    emit,
    { id, title: `Read what ${total} Debian packages say of themselves` },
    async () => {
      let done = 0
      const onRead = (): void => {
        done += 1
        if (done % 20 === 0) emit({ type: 'step-progress', id, done, total, unit: 'items' })
      }
      const found: DebianShare[] = []
      for (const content of contents) found.push(await shareSuite(content, { ...options, onRead }))
      return found
    },
  )
  const keyring = bytesOffer(key.publicKey, { group: 'pages', type: typeOf('.asc') })
  return {
    offers: [...shares.flatMap(({ offers }) => offers), [`${mainPath}/pibake-archive-keyring.asc`, keyring]],
    suites: shares.flatMap(({ suites }) => suites),
    missing: shares.reduce((sum, { missing }) => sum + missing, 0),
  }
}
