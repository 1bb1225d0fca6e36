import parse from 'spdx-expression-parse'
import { collectLicence, type Licence, unknownLicence } from './licence.ts'

const nameOf = (value: unknown): string[] => {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(nameOf)
  if (value !== null && typeof value === 'object' && 'type' in value) return nameOf(value.type)
  return []
}

/** An SPDX expression with every licence in it looked up; a plus is part of the name of GNU's older identifiers. */
const renderTerm = (term: parse.Info, lookUp: (name: string) => string): string => {
  if ('conjunction' in term) {
    const sides = [term.left, term.right].map((side) =>
      'conjunction' in side && side.conjunction !== term.conjunction
        ? `(${renderTerm(side, lookUp)})`
        : renderTerm(side, lookUp),
    )
    return sides.join(` ${term.conjunction.toUpperCase()} `)
  }
  const name = lookUp(term.plus ? `${term.license}+` : term.license)
  return term.exception === undefined ? name : `${name} WITH ${term.exception}`
}

const parseTerm = (name: string): parse.Info | undefined => {
  try {
    return parse(name)
  } catch {
    // Whatever is no expression is the name of a licence.
    return undefined
  }
}

/** The licence that a package.json names: an SPDX expression, or the older forms with `type` and `licenses`. */
export const readNpmLicence = (manifest: unknown): Licence => {
  const fields = manifest !== null && typeof manifest === 'object' ? manifest : {}
  const named = 'license' in fields ? nameOf(fields.license) : []
  const names = named.length > 0 || !('licenses' in fields) ? named : nameOf(fields.licenses)
  if (names.length === 0) return unknownLicence('its package.json names no licence')
  const { lookUp, finish } = collectLicence()
  const parts = names.map((name) => {
    const term = parseTerm(name)
    return term ? renderTerm(term, lookUp) : lookUp(name.trim())
  })
  return finish(parts, 'OR')
}
