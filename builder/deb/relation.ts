import type { Operator } from './version.ts'

/** One alternative of a relationship field: `name:qualifier (operator version) [architectures] <profiles>`. */
export interface Relation {
  name: string
  /** `any`, `native` or an architecture, when the name is qualified. */
  qualifier?: string
  operator?: Operator
  version?: string
  /** Architecture restrictions of a source package, a leading `!` where negated. */
  architectures?: readonly string[]
  /** Build-profile restrictions as written: `!nocheck`. */
  profiles?: readonly string[]
}

const relationPattern =
  /^\s*([A-Za-z0-9][A-Za-z0-9+.-]*)(?::([a-z0-9-]+))?\s*(?:\(\s*(<<|<=|=|>=|>>|<|>)\s*([A-Za-z0-9][A-Za-z0-9.+~:-]*)\s*\))?\s*(?:\[([^\]]*)\])?\s*((?:<[^>]*>\s*)*)$/

/** `<` and `>` are deprecated spellings of `<=` and `>=`: deb-control(5). */
const operators: Readonly<Record<string, Operator>> = {
  '<<': '<<',
  '<=': '<=',
  '<': '<=',
  '=': '=',
  '>=': '>=',
  '>': '>=',
  '>>': '>>',
}

const words = (text: string | undefined): string[] => text?.split(/\s+/).filter((word) => word !== '') ?? []

const parseRelation = (text: string): Relation => {
  const match = relationPattern.exec(text)
  const name = match?.[1]
  if (!match || name === undefined) throw new SyntaxError(`not a package relation: \`${text.trim()}\``)
  const [, , qualifier, operatorText, version, architectures, profiles] = match
  const operator = operatorText === undefined ? undefined : operators[operatorText]
  const profileWords = words(profiles?.replaceAll(/[<>]/g, ' '))
  return {
    name,
    ...(qualifier === undefined ? {} : { qualifier }),
    ...(operator === undefined || version === undefined ? {} : { operator, version }),
    ...(architectures === undefined ? {} : { architectures: words(architectures) }),
    ...(profileWords.length === 0 ? {} : { profiles: profileWords }),
  }
}

/**
 * A relationship field (Depends, Provides, Build-Depends …) as groups of alternatives: all groups must hold, of each
 * group one alternative. Grammar: Debian Policy 7.1. Throws a SyntaxError for what does not follow it.
 */
export const parseRelations = (text: string | undefined): Relation[][] =>
  (text ?? '')
    .split(',')
    .filter((group) => group.trim() !== '')
    .map((group) => group.split('|').map(parseRelation))

/** A relation as control files spell it. */
export const formatRelation = (relation: Relation): string => {
  const qualifier = relation.qualifier === undefined ? '' : `:${relation.qualifier}`
  const version = relation.operator === undefined ? '' : ` (${relation.operator} ${relation.version ?? ''})`
  return `${relation.name}${qualifier}${version}`
}
