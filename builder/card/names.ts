import { randomInt } from 'node:crypto'

/** Letters that are said and heard alike in many languages, and not taken for another. */
const consonants = 'bdgklmnrtv'
const vowels = 'aiou'

/** Half names that are words nobody wants on a label, in the languages of the portal. */
const unkind: ReadonlySet<string> = new Set(
  'bago bita dago gili kago kona kuli kulo loko moro niga nigo nigu rola tolo'.split(' '),
)

type Random = (below: number) => number

const syllable = (random: Random): string => `${consonants[random(consonants.length)]}${vowels[random(vowels.length)]}`

const half = (random: Random): string => {
  for (;;) {
    const [first, second] = [syllable(random), syllable(random)]
    if (first !== second && !unkind.has(first + second)) return first + second
  }
}

/**
 * A host name that can be said over a table, such as `tami-roku`, and is none of `taken`. There are some two million; two
 * machines that name cards on their own seldom meet in one.
 */
export const makeName = (taken: ReadonlySet<string>, random: Random = randomInt): string => {
  for (;;) {
    const name = `${half(random)}-${half(random)}`
    if (!taken.has(name)) return name
  }
}
