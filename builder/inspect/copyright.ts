import { parseStanzas, type Stanza } from '../deb/deb822.ts'
import { collectLicence, joinTerms, type Licence, unknownLicence } from './licence.ts'

/** Lines of a field of a copyright file as text: each but the first has a blank before it, `.` stands for an empty one. */
const unfold = (lines: readonly string[]): string =>
  lines.map((line) => (line.trim() === '.' ? '' : line.replace(/^ /, ''))).join('\n')

/** The first line of a `License` field, and what follows: deb822 folds the text of the licence below its name. */
const splitField = (field: string): { synopsis: string; text: string } => {
  const [synopsis = '', ...rest] = field.split('\n')
  return { synopsis: synopsis.trim(), text: unfold(rest) }
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
          joinTerms(
            choices.map((terms) => joinTerms(terms, 'AND')),
            'OR',
          ),
        ]
  })

const isMachineReadable = (text: string): boolean => /^Format(?:-Specification)?:/m.test(text.slice(0, 2000))

const keptFields = new Set(['Files', 'License'])

const readStanzas = (text: string): Stanza[] => {
  try {
    return [...parseStanzas(text, { fields: keptFields })]
  } catch (error) {
    // A file that says it is machine-readable, and is not.
    if (error instanceof SyntaxError) return []
    throw error
  }
}

/** Texts that Debian keeps once for all packages, as old copyright files refer to them. */
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
    return unknownLicence(`its copyright file is not machine-readable${more}`, names)
  }
  const { lookUp, finish } = collectLicence()
  const parts = files.flatMap(({ synopsis, text }) =>
    readSynopsis(synopsis, (name) => lookUp(name, texts.get(name) ?? (text || undefined))),
  )
  return finish(parts.toSorted(), 'AND')
}
