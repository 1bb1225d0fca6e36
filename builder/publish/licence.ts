import { hashBytes } from '../core/digest.ts'
import { parseStanzas, type Stanza } from '../deb/deb822.ts'

/** What is known of the licence of a package. */
export interface Licence {
  /** An SPDX licence expression (SPDX specification 2.3, annex D); undefined when nothing certain is known. */
  expression?: string
  /** What the `LicenseRef-` in it mean. */
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

/** SPDX identifiers as they are spelt, for what Debian and npm packages carry; all else gets a `LicenseRef-`. */
const spdxNames = `0BSD AFL-2.1 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 Artistic-1.0-Perl Artistic-2.0
BSD-1-Clause BSD-2-Clause BSD-3-Clause BSD-4-Clause BSL-1.0 BlueOak-1.0.0 CC-BY-3.0 CC-BY-4.0 CC-BY-SA-3.0
CC-BY-SA-4.0 CC0-1.0 CDDL-1.0 CPL-1.0 EPL-1.0 EPL-2.0 FSFAP Fair FSFUL FSFULLR FTL GFDL-1.1-or-later GFDL-1.2-only
GFDL-1.2-or-later GFDL-1.3-only GFDL-1.3-or-later GPL-1.0-only GPL-1.0-or-later GPL-2.0-only GPL-2.0-or-later
GPL-3.0-only GPL-3.0-or-later HPND ICU IJG ISC LGPL-2.0-only LGPL-2.0-or-later LGPL-2.1-only LGPL-2.1-or-later
LGPL-3.0-only LGPL-3.0-or-later LPPL-1.3c Libpng MIT MIT-0 MIT-CMU MIT-Modern-Variant MPL-1.1 MPL-2.0 MS-PL NCSA NTP
OFL-1.1 OLDAP-2.8 OPL-1.0 OpenSSL PHP-3.01 PSF-2.0 PostgreSQL Python-2.0 Ruby SMLNJ Sleepycat TCL Unicode-DFS-2016
Unlicense Vim W3C WTFPL X11 ZPL-2.1 Zlib bzip2-1.0.6 curl dtoa`
  .split(/\s+/)
  .reduce((names, name) => names.set(name.toLowerCase(), name), new Map<string, string>())

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

type Ref = Licence['refs'][number]

/** A name for a licence that SPDX has none for; other texts under the same name are other licences. */
const refOf = (name: string, text: string): Ref => {
  const words = name.replace(/[^A-Za-z0-9.]+/g, '-').replace(/^-+|-+$/g, '')
  return { id: `LicenseRef-${words || 'unnamed'}-${hashBytes(text).slice(0, 8)}`, name, text }
}

/** Lines of a field of a copyright file as text: each but the first has a blank before it, `.` stands for an empty one. */
const unfold = (lines: readonly string[]): string =>
  lines.map((line) => (line.trim() === '.' ? '' : line.replace(/^ /, ''))).join('\n')

/** The first line of a `License` field, and what follows: deb822 folds the text of the licence below its name. */
const splitField = (field: string): { synopsis: string; text: string } => {
  const [synopsis = '', ...rest] = field.split('\n')
  return { synopsis: synopsis.trim(), text: unfold(rest) }
}

const joined = (parts: readonly string[], word: 'AND' | 'OR'): string => {
  const unique = [...new Set(parts)]
  if (unique.length === 1) return unique[0] ?? ''
  return unique.map((part) => (/ (?:AND|OR) /.test(part) ? `(${part})` : part)).join(` ${word} `)
}

/**
 * The terms that a synopsis such as `GPL-2+ or Artistic, and Expat` asks for, all of them, as SPDX expressions. `lookUp`
 * names what is between the words: a comma binds weaker than they do, and `or` weaker than `and` (copyright format 1.0,
 * "License specification").
 */
const readSynopsis = (synopsis: string, lookUp: (name: string) => string): string[] =>
  synopsis.split(/,\s+and\s+/i).flatMap((group) => {
    const choices = group.split(/,?\s+(?:and\/or|or)\s+/i).map((choice) => choice.split(/\s+and\s+/i).map(lookUp))
    const [only = []] = choices
    return choices.length === 1
      ? only
      : [
          joined(
            choices.map((terms) => joined(terms, 'AND')),
            'OR',
          ),
        ]
  })

const isMachineReadable = (text: string): boolean => /^Format(?:-Specification)?:/m.test(text.slice(0, 2000))

const readStanzas = (text: string): Stanza[] => {
  try {
    return [...parseStanzas(text)]
  } catch (error) {
    // A file that says it is machine-readable, and is not.
    if (error instanceof SyntaxError) return []
    throw error
  }
}

const mentioned = (text: string): string[] =>
  [
    ...new Set([...text.matchAll(/\/usr\/share\/common-licenses\/([A-Z][\w.-]*\w)/g)].map(([, name]) => name ?? '')),
  ].sort()

/**
 * The licences that a Debian copyright file names. Of one in the machine-readable format, all of them, for a package holds
 * something under each; of another, what it mentions as a comment, for whoever reads on.
 */
export const readCopyright = (text: string): Licence => {
  const stanzas = isMachineReadable(text) ? readStanzas(text) : []
  const fields = stanzas.flatMap((stanza) =>
    stanza.License === undefined ? [] : [{ stanza, ...splitField(stanza.License) }],
  )
  const texts = new Map(fields.filter(({ text }) => text !== '').map((field) => [field.synopsis, field.text]))
  const files = fields.filter(({ stanza, synopsis }) => stanza.Files !== undefined && synopsis !== '')
  if (files.length === 0) {
    const names = mentioned(text)
    const more = names.length === 0 ? '' : `; it mentions ${names.join(', ')}`
    return { refs: [], comment: `its copyright file is not machine-readable${more}` }
  }
  const refs = new Map<string, Ref>()
  const parts = files.flatMap(({ synopsis, text }) =>
    readSynopsis(synopsis, (name) => {
      const known = identify(name)
      if (known !== undefined) return known
      const ref = refOf(name, texts.get(name) ?? (text === '' ? name : text))
      refs.set(ref.id, ref)
      return ref.id
    }),
  )
  return {
    expression: joined(parts.toSorted(), 'AND'),
    refs: [...refs.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
  }
}

const nameOf = (value: unknown): string[] => {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(nameOf)
  if (value !== null && typeof value === 'object' && 'type' in value) return nameOf(value.type)
  return []
}

/** The licence that a package.json names: an SPDX expression, or the older forms with `type` and `licenses`. */
export const readNpmLicence = (manifest: unknown): Licence => {
  const fields = manifest !== null && typeof manifest === 'object' ? manifest : {}
  const named = 'license' in fields ? nameOf(fields.license) : []
  const names = named.length > 0 || !('licenses' in fields) ? named : nameOf(fields.licenses)
  if (names.length === 0) return { refs: [], comment: 'its package.json names no licence' }
  const refs = new Map<string, Ref>()
  const lookUp = (name: string): string => {
    const known = identify(name)
    if (known !== undefined) return known
    const ref = refOf(name, name)
    refs.set(ref.id, ref)
    return ref.id
  }
  const parts = names.map((name) => {
    const words = name.trim().split(/(\s+(?:AND|OR)\s+|[()])/)
    const isExpression = words.every((word, index) => index % 2 === 1 || !/\s/.test(word.trim()))
    if (words.length === 1 || !isExpression) return lookUp(name.trim())
    return words.map((word, index) => (index % 2 === 1 || word.trim() === '' ? word : lookUp(word.trim()))).join('')
  })
  return { expression: joined(parts, 'OR'), refs: [...refs.values()] }
}
