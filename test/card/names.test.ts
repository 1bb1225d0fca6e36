import test from 'ava'
import { makeName } from '../../builder/card/names.ts'
import { hostName } from '../../builder/profile/schema.ts'

test('names are host names, and can be said', (t) => {
  for (let count = 0; count < 500; count += 1) {
    const name = makeName(new Set())
    t.true(hostName.safeParse(name).success, name)
    t.regex(name, /^(?:[bdgklmnrtv][aiou]){2}-(?:[bdgklmnrtv][aiou]){2}$/)
  }
})

test('a name that is taken is not given again', (t) => {
  // Syllables in turn: `ba` `di`, `gu` `ka`, and so on.
  const sequence = [0, 0, 1, 1, 2, 3, 3, 0, 4, 1, 5, 2, 6, 3, 7, 0]
  const counted = () => {
    let at = 0
    return (below: number): number => (sequence[at++ % sequence.length] ?? 0) % below
  }
  const first = makeName(new Set(), counted())
  t.is(first, 'badi-guka')
  t.not(makeName(new Set([first]), counted()), first)
})

test('a thousand names are a thousand', (t) => {
  const names = new Set<string>()
  for (let count = 0; count < 1000; count += 1) names.add(makeName(names))
  t.is(names.size, 1000)
})
