import spdxIds from 'spdx-license-ids/index.json' with { type: 'json' }
import { hashBytes } from '../core/digest.ts'

/** What is known of the licence of a package. */
export interface Licence {
  /** An SPDX licence expression (SPDX specification 2.3, annex D); undefined when nothing certain is known. */
  expression?: string
  /** For lists that people read: what must be complied with, by SPDX's names and the package's own; sorted, each once. */
  names: string[]
  /** What the `LicenseRef-` in the expression mean. */
  refs: { id: string; name: string; text: string }[]
  /** Where to look, when there is no expression. */
  comment?: string
}

/**
 * Short names of Debian's machine-readable copyright format 1.0 that SPDX knows by another identifier, and those that
 * both have (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/#license-short-name, and those that
 * packages have made customary).
 */
const debianNames: Readonly<Record<string, string>> = {
  // Without a version, any that was published: GPL-2 section 9, LGPL-2 section 13.
  gpl: 'GPL-1.0-or-later',
  lgpl: 'LGPL-2.0-or-later',
  expat: 'MIT',
  mit: 'MIT',
  'mit/x11': 'MIT',
  x11: 'X11',
  bsd: 'BSD-3-Clause',
  'bsd-2-clauses': 'BSD-2-Clause',
  'bsd-3-clauses': 'BSD-3-Clause',
  'bsd-4-clauses': 'BSD-4-Clause',
  artistic: 'Artistic-1.0-Perl',
  'artistic-1': 'Artistic-1.0-Perl',
  'artistic-2': 'Artistic-2.0',
  apache: 'Apache-2.0',
  'apache-2': 'Apache-2.0',
  'boost-1.0': 'BSL-1.0',
  cc0: 'CC0-1.0',
  'cc-by-4': 'CC-BY-4.0',
  'cc-by-sa-3': 'CC-BY-SA-3.0',
  'cc-by-sa-4': 'CC-BY-SA-4.0',
  'mpl-1.1': 'MPL-1.1',
  mpl: 'MPL-2.0',
  'mpl-2': 'MPL-2.0',
  ofl: 'OFL-1.1',
  psf: 'PSF-2.0',
  'psf-2': 'PSF-2.0',
  'python-2.0': 'Python-2.0',
  zpl: 'ZPL-2.1',
}

/** SPDX's identifiers as they are spelt, by how anybody may spell them. */
const spdxNames = new Map(spdxIds.map((id) => [id.toLowerCase(), id]))

const gnuName = /^(a?gpl|lgpl|gfdl)(?:-?v?(\d(?:\.\d)?))?(?:\.0)?(\+|-or-later|-only)?$/i

/** The GNU licences: `GPL-2+` is `GPL-2.0-or-later`, `LGPL-2.1` is `LGPL-2.1-only`. */
const fromGnu = (name: string): string | undefined => {
  const [, family, version, later] = gnuName.exec(name) ?? []
  if (family === undefined || version === undefined) return undefined
  const whole = version.includes('.') ? version : `${version}.0`
  return spdxNames.get(
    `${family}-${whole}-${later === '+' || later === '-or-later' ? 'or-later' : 'only'}`.toLowerCase(),
  )
}

/** The SPDX identifier of one licence by the name that a package gives it; undefined for what SPDX does not know. */
const identify = (name: string): string | undefined =>
  fromGnu(name) ?? spdxNames.get(name.toLowerCase()) ?? debianNames[name.toLowerCase()]

/** A name for a licence that SPDX has none for; other texts under the same name are other licences. */
const refOf = (name: string, text: string): Licence['refs'][number] => {
  const words = name.replace(/[^A-Za-z0-9.]+/g, '-').replace(/^-+|-+$/g, '')
  return { id: `LicenseRef-${words || 'unnamed'}-${hashBytes(text).slice(0, 8)}`, name, text }
}

const unique = (items: readonly string[]): string[] => [...new Set(items)].sort()

/** `parts` as one expression, each once, in brackets where they are expressions themselves. */
export const joinTerms = (parts: readonly string[], word: 'AND' | 'OR'): string => {
  const different = [...new Set(parts)]
  if (different.length === 1) return different[0] ?? ''
  return different.map((part) => (/ (?:AND|OR) /.test(part) ? `(${part})` : part)).join(` ${word} `)
}

/** Nothing certain is known: `comment` says where to look, `names` what is mentioned there. */
export const unknownLicence = (comment: string, names: readonly string[] = []): Licence => ({
  names: unique(names),
  refs: [],
  comment,
})

/** Collects what one package says of its licence. */
export const collectLicence = (): {
  /**
   * The SPDX identifier of a licence by the name that the package has for it, or a `LicenseRef-` that stands for `text`.
   */
  lookUp: (name: string, text?: string) => string
  finish: (parts: readonly string[], word: 'AND' | 'OR') => Licence
} => {
  const refs = new Map<string, Licence['refs'][number]>()
  const names: string[] = []
  return {
    lookUp: (name, text = name) => {
      const known = identify(name)
      names.push(known ?? name)
      if (known !== undefined) return known
      const ref = refOf(name, text)
      refs.set(ref.id, ref)
      return ref.id
    },
    finish: (parts, word) => ({
      expression: joinTerms(parts, word),
      names: unique(names),
      refs: [...refs.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    }),
  }
}
