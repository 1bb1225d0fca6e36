/** The relations of deb-version(7) as control files spell them. */
export type Operator = '<<' | '<=' | '=' | '>=' | '>>'

interface VersionParts {
  epoch: string
  upstream: string
  revision: string
}

const splitVersion = (version: string): VersionParts => {
  const colon = version.indexOf(':')
  const rest = colon === -1 ? version : version.slice(colon + 1)
  const hyphen = rest.lastIndexOf('-')
  return {
    epoch: colon === -1 ? '0' : version.slice(0, colon),
    upstream: hyphen === -1 ? rest : rest.slice(0, hyphen),
    revision: hyphen === -1 ? '' : rest.slice(hyphen + 1),
  }
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57

/** Weight of a character outside digits: `~` before the end of the text, letters before everything else. */
const weightAt = (text: string, index: number): number => {
  if (index >= text.length) return 0
  const code = text.charCodeAt(index)
  if (isDigit(code)) return 0
  if (code === 126) return -1
  const isLetter = (code >= 65 && code <= 90) || (code >= 97 && code <= 122)
  return isLetter ? code : code + 256
}

const digitsFrom = (text: string, start: number): string => {
  let end = start
  while (end < text.length && isDigit(text.charCodeAt(end))) end += 1
  return text.slice(start, end)
}

const compareDigits = (a: string, b: string): number => {
  const left = a.replace(/^0+/, '')
  const right = b.replace(/^0+/, '')
  if (left.length !== right.length) return left.length - right.length
  return left < right ? -1 : left > right ? 1 : 0
}

const compareParts = (a: string, b: string): number => {
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a.charCodeAt(i))) || (j < b.length && !isDigit(b.charCodeAt(j)))) {
      const difference = weightAt(a, i) - weightAt(b, j)
      if (difference !== 0) return difference
      if (i < a.length) i += 1
      if (j < b.length) j += 1
    }
    const left = digitsFrom(a, i)
    const right = digitsFrom(b, j)
    const difference = compareDigits(left, right)
    if (difference !== 0) return difference
    i += left.length
    j += right.length
  }
  return 0
}

/** Order of two Debian versions by deb-version(7): negative, zero or positive, as Array.sort wants it. */
export const compareVersions = (a: string, b: string): number => {
  if (a === b) return 0
  const left = splitVersion(a)
  const right = splitVersion(b)
  return (
    compareDigits(left.epoch, right.epoch) ||
    compareParts(left.upstream, right.upstream) ||
    compareParts(left.revision, right.revision)
  )
}

/** Whether `version` stands in the relation `operator` to `wanted`. */
export const versionSatisfies = (version: string, operator: Operator, wanted: string): boolean => {
  const order = compareVersions(version, wanted)
  if (operator === '<<') return order < 0
  if (operator === '<=') return order <= 0
  if (operator === '=') return order === 0
  if (operator === '>=') return order >= 0
  return order > 0
}
