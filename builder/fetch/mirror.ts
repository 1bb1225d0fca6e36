import { PibakeError } from '../core/error.ts'
import { type AptSource, readAptSources } from '../deb/apt-sources.ts'
import type { BaseSources } from '../lock/request.ts'

/** Where Debian's archives are fetched from; addresses without a trailing slash. */
export interface Mirrors {
  main: string
  /** Undefined when no source of security updates is known. */
  security: string | undefined
  /** Base address of an archive that keeps old packages, tried when the mirror has dropped one. */
  snapshot?: string
  /** Other archives by the names that locks have for them. */
  others?: Readonly<Record<string, string>>
}

const debianSuite =
  /^(?:bookworm|trixie|forky|sid|oldstable|stable|testing|unstable)(?:-(updates|security|proposed-updates|backports))?\/?$/

/** The first http(s) address of Debian's main archive, and the first of its security archive. */
export const pickMirrors = (
  sources: readonly Pick<AptSource, 'uri' | 'suite'>[],
): { main: string | undefined; security: string | undefined } => {
  const debian = sources.filter(({ uri, suite }) => /^https?:\/\//.test(uri) && debianSuite.test(suite))
  const isSecurity = ({ suite }: Pick<AptSource, 'suite'>) => debianSuite.exec(suite)?.[1] === 'security'
  return {
    main: trimmed(debian.find((source) => !isSecurity(source))?.uri),
    security: trimmed(debian.find(isSecurity)?.uri),
  }
}

const trimmed = (uri: string | undefined): string | undefined => uri?.replace(/\/+$/, '')

/** The security archive as most mirrors place it: beside the main one, `…/debian` and `…/debian-security`. */
const securitySibling = (main: string): string | undefined =>
  main.endsWith('/debian') ? `${main}-security` : undefined

export interface MirrorOptions {
  /** `--mirror`; wins over everything. */
  mirror?: string
  env?: Readonly<Record<string, string | undefined>>
  /** Folder of the host's apt configuration. */
  aptFolder?: string
  /** Whether an address answers; asked only for a guessed one. */
  answers: (url: string) => Promise<boolean>
  /** The suite whose security archive is wanted. */
  suite: string
}

/**
 * Find the mirrors: `--mirror`, PIBAKE_MIRROR, then the host's own apt configuration. PIBAKE_SECURITY_MIRROR and
 * PIBAKE_SNAPSHOT name the other two. Throws `NETWORK` when nothing names one.
 */
export const findMirrors = async (options: MirrorOptions): Promise<Mirrors> => {
  const env = options.env ?? process.env
  const given = trimmed(options.mirror ?? nonEmpty(env.PIBAKE_MIRROR))
  const configured =
    given === undefined ? pickMirrors(await readAptSources(options.aptFolder ?? '/etc/apt')) : undefined
  const main = given ?? configured?.main
  if (main === undefined) {
    throw new PibakeError('NETWORK', 'No Debian mirror is known: apt of this machine names none.', {
      hint: 'Name one with `--mirror http://…/debian` or in the environment variable PIBAKE_MIRROR.',
    })
  }
  if (!/^https?:\/\/\S+$/.test(main)) {
    throw new PibakeError('USAGE', `\`${main}\` is not the address of a mirror.`, {
      hint: 'A mirror address begins with http:// or https:// and ends in the folder that holds `dists/` and `pool/`.',
    })
  }
  const snapshot = trimmed(nonEmpty(env.PIBAKE_SNAPSHOT))
  const security = trimmed(nonEmpty(env.PIBAKE_SECURITY_MIRROR)) ?? configured?.security
  return {
    main,
    security: security ?? (await guessSecurity(main, options)),
    ...(snapshot === undefined ? {} : { snapshot }),
  }
}

/**
 * The mirrors with the archives of a base image, at the addresses that it names unless PIBAKE_MIRROR_<ARCHIVE> names
 * another: `PIBAKE_MIRROR_RASPI` for `raspi`.
 */
export const addArchives = (
  mirrors: Mirrors,
  sources: BaseSources | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Mirrors => {
  if (sources === undefined || sources.others.length === 0) return mirrors
  const others = sources.others.map(({ archive, uri }): [string, string] => {
    const given = nonEmpty(env[`PIBAKE_MIRROR_${archive.toUpperCase().replaceAll('-', '_')}`])
    return [archive, trimmed(given) ?? uri]
  })
  return { ...mirrors, others: Object.fromEntries(others) }
}

const guessSecurity = async (main: string, options: MirrorOptions): Promise<string | undefined> => {
  const sibling = securitySibling(main)
  if (sibling === undefined) return undefined
  return (await options.answers(`${sibling}/dists/${options.suite}-security/InRelease`)) ? sibling : undefined
}

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text)
