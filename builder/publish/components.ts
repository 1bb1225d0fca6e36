import { asSha256, hashJson, type Sha256 } from '../core/digest.ts'
import { packageNameOf, renderCopyright } from '../deb/stage-control.ts'
import { readCopyright } from '../inspect/copyright.ts'
import { type Licence, unknownLicence } from '../inspect/licence.ts'
import type { Lock, LockedDeb, LockedNpm } from '../lock/schema.ts'
import type { ResolvedProfile, Stage } from '../profile/schema.ts'

/** Something that an image is made of. */
export interface Component {
  kind: 'debian' | 'stage' | 'npm' | 'artifact' | 'base image'
  name: string
  /** Empty where a thing has none, as a file. */
  version: string
  /** Package URL: https://github.com/package-url/purl-spec. Unique in a bill of materials. */
  purl: string
  /** Of the file as it was fetched: the .deb, the tarball. Undefined for what pibake builds itself. */
  sha256: Sha256 | undefined
  /** Besides, in hex, where the lock has it. */
  sha512?: string
  licence: Licence
  /** Steps of the bake that bring it, `mirror` for what is only carried. */
  places: string[]
  /** Where an npm package lies below its stage's folder; several where the tree holds it several times. */
  paths?: string[]
}

/** What of a lock's packages was read about licences. */
export interface Licences {
  /** Text of the copyright file by the digest of the package. */
  copyrights: ReadonlyMap<Sha256, string>
  npm: ReadonlyMap<Sha256, Licence>
}

/** Percent-encoding of a purl's parts: everything but letters, digits and `.-_~`, and the colon stays as it is nowhere. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)

const qualify = (qualifiers: Readonly<Record<string, string>>): string =>
  Object.entries(qualifiers)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${encode(value)}`)
    .join('&')

const ofDeb = (deb: LockedDeb, place: string, lock: Lock, { copyrights }: Licences): Component => {
  const text = copyrights.get(deb.sha256)
  const qualifiers = qualify({ arch: deb.architecture, distro: deb.suite ?? lock.suite })
  return {
    kind: 'debian',
    name: deb.name,
    version: deb.version,
    purl: `pkg:deb/debian/${encode(deb.name)}@${encode(deb.version)}?${qualifiers}`,
    sha256: deb.sha256,
    licence: text === undefined ? unknownLicence('the package has no copyright file') : readCopyright(text),
    places: [place],
  }
}

/** An integrity of sha512 as hex; undefined for another algorithm. */
const sha512Of = (integrity: string): string | undefined => {
  const [, base64] = /^sha512-([A-Za-z0-9+/=]+)/.exec(integrity) ?? []
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('hex')
}

const ofNpm = (item: LockedNpm, stage: string, { npm }: Licences): Component => {
  const sha512 = sha512Of(item.integrity)
  return {
    kind: 'npm',
    name: item.name,
    version: item.version,
    purl: `pkg:npm/${item.name.split('/').map(encode).join('/')}@${encode(item.version)}`,
    sha256: item.sha256,
    ...(sha512 === undefined ? {} : { sha512 }),
    licence: npm.get(item.sha256) ?? unknownLicence('its package.json was not read'),
    places: [stage],
    paths: [`${stage}/${item.path}`],
  }
}

const ofArtifact = (item: Lock['artifacts'][string][number], stage: Stage): Component => {
  const { url } = stage.artifacts.find(({ name }) => name === item.name) ?? {}
  const source = url === undefined ? {} : { download_url: url }
  return {
    kind: 'artifact',
    name: item.name,
    version: '',
    purl: `pkg:generic/${encode(item.name)}?${qualify({ checksum: `sha256:${item.sha256}`, ...source })}`,
    sha256: item.sha256,
    licence: unknownLicence('a file made by others, carried as it is'),
    places: [stage.name],
  }
}

const ofStage = (stage: Stage, architecture: string): Component => {
  const name = packageNameOf(stage.name)
  return {
    kind: 'stage',
    name,
    version: stage.version,
    purl: `pkg:deb/pibake/${encode(name)}@${encode(stage.version)}?${qualify({ arch: architecture })}`,
    sha256: undefined,
    licence: readCopyright(renderCopyright({ ...stage, npm: false, artifacts: [] })),
    places: [stage.name],
  }
}

/** One component for each purl, with all its places. */
const merge = (components: readonly Component[]): Component[] => {
  const byPurl = new Map<string, Component>()
  for (const component of components) {
    const before = byPurl.get(component.purl)
    if (!before) byPurl.set(component.purl, component)
    else {
      const paths = [...(before.paths ?? []), ...(component.paths ?? [])].sort()
      const places = [...new Set([...before.places, ...component.places])]
      byPurl.set(component.purl, { ...before, places, ...(paths.length > 0 ? { paths } : {}) })
    }
  }
  return [...byPurl.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1))
}

/**
 * Everything that an image is made of, by the lock of its profile: Debian's packages, the stages' own, npm packages and
 * artifacts, sorted. `baseImage` is the image that the profile starts from, where there is one.
 */
export const listComponents = (
  { profile, lock, baseImage }: { profile: ResolvedProfile; lock: Lock; baseImage?: { name: string; sha256: Sha256 } },
  licences: Licences,
): Component[] => {
  const base: Component[] =
    baseImage === undefined
      ? []
      : [
          {
            kind: 'base image',
            name: baseImage.name,
            version: '',
            purl: `pkg:generic/${encode(baseImage.name)}?${qualify({ checksum: `sha256:${baseImage.sha256}` })}`,
            sha256: baseImage.sha256,
            licence: unknownLicence('an image with packages of its own, which are not listed here'),
            places: ['base'],
          },
        ]
  return merge([
    ...base,
    ...lock.steps.flatMap(({ name, debs }) => debs.map((deb) => ofDeb(deb, name, lock, licences))),
    ...lock.extras.map((deb) => ofDeb(deb, 'mirror', lock, licences)),
    ...profile.stages.flatMap(({ stage }) => [
      ofStage(stage, stage.npm || stage.artifacts.length > 0 ? lock.architecture : 'all'),
      ...(lock.npm[stage.name] ?? []).map((item) => ofNpm(item, stage.name, licences)),
      ...(lock.artifacts[stage.name] ?? []).map((item) => ofArtifact(item, stage)),
    ]),
  ])
}

/** What a bill of materials is about, and what both forms of it have in common. */
export interface Bill {
  profile: ResolvedProfile
  lock: Lock
  components: readonly Component[]
  /** Version of pibake. */
  pibake: string
}

/** A UUID (version 5's layout) that stands for the content of a bill: the same lock gives the same. */
export const billId = ({ profile, lock, components, pibake }: Bill): string => {
  const hex = asSha256(
    hashJson([
      'bill of materials',
      profile.output,
      lock.time,
      pibake,
      ...components.map(({ purl, sha256 }) => `${purl} ${sha256}`),
    ]),
  )
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
