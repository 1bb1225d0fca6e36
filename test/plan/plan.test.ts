import test from 'ava'
import { hashBytes, type Sha256 } from '../../builder/core/digest.ts'
import { type History, keySteps, type PlannedStep, planSteps, type Step } from '../../builder/plan/plan.ts'

const step = (id: string, inputs: Readonly<Record<string, string>> = { files: id }): Step => ({
  id,
  title: `Step ${id}`,
  inputs: Object.entries(inputs).map(([name, text]) => ({ name, digest: hashBytes(text) })),
})

const steps = [step('base'), step('one'), step('two'), step('image')]
const changed = (id: string, inputs: Readonly<Record<string, string>>): Step[] =>
  steps.map((item) => (item.id === id ? step(id, inputs) : item))

const keysOf = (list: readonly Step[]): Sha256[] => keySteps(list).map(({ key }) => key)

test('keys are a function of content: the same for equal steps, whatever their titles', (t) => {
  t.deepEqual(keysOf(steps), keysOf(steps.map((item) => ({ ...item, title: 'other' }))))
  t.is(new Set(keysOf(steps)).size, steps.length)
})

const differing: readonly (readonly [what: string, other: readonly Step[], from: number])[] = [
  ['an input of the base', changed('base', { files: 'x' }), 0],
  ['an input of a stage', changed('two', { files: 'x' }), 2],
  ['the name of an input', changed('one', { packages: 'one' }), 1],
  ['one more input', changed('one', { files: 'one', npm: 'x' }), 1],
  ['an input of the last step', changed('image', { files: 'x' }), 3],
  ['the order of the stages', [step('base'), step('two'), step('one'), step('image')], 1],
  ['the name of a step', [step('base'), step('one'), { ...step('two'), id: 'three' }, step('image')], 2],
]

for (const [what, other, from] of differing) {
  test(`${what} changes its key and those above, and none below`, (t) => {
    const [before, after] = [keysOf(steps), keysOf(other)]
    for (const [index, key] of before.entries()) t.is(key === after[index], index < from, `step ${index}`)
  })
}

/** An engine with counters in place of a bake: what has run is sealed and remembered. */
const makeEngine = () => {
  const sealed = new Set<Sha256>()
  const counts: Record<string, number> = {}
  let history: History = {}
  const bake = (list: readonly Step[]): PlannedStep[] => {
    const planned = planSteps(keySteps(list), sealed, history)
    for (const { id, key, inputs, action } of planned) {
      if (action === 'cached') continue
      counts[id] = (counts[id] ?? 0) + 1
      sealed.add(key)
      history = { ...history, [id]: { key, inputs, durationMs: 1500 } }
    }
    return planned
  }
  return { bake, counts, sealed }
}

const whyOf = (planned: readonly PlannedStep[]): Record<string, string> =>
  Object.fromEntries(planned.filter(({ action }) => action === 'run').map(({ id, why }) => [id, why]))

test('everything runs once, and nothing when nothing has changed', (t) => {
  const { bake, counts } = makeEngine()
  t.deepEqual(
    bake(steps).map(({ why, expectedMs }) => [why, expectedMs]),
    steps.map(() => ['never run before', undefined]),
  )
  const again = bake(steps)
  t.deepEqual(
    again.map(({ action, why }) => [action, why]),
    steps.map(() => ['cached', 'nothing changed']),
  )
  t.deepEqual(counts, { base: 1, one: 1, two: 1, image: 1 })
})

test('a change runs its step and those above, says why, and how long that took', (t) => {
  const { bake, counts } = makeEngine()
  bake(steps)
  const planned = bake(changed('one', { files: 'x' }))
  t.deepEqual(whyOf(planned), {
    one: 'changed: files',
    two: '`one` below it runs again',
    image: '`two` below it runs again',
  })
  t.is(planned[1]?.expectedMs, 1500)
  t.deepEqual(counts, { base: 1, one: 2, two: 2, image: 2 })
})

test('what is put back runs nothing, since its results are still there', (t) => {
  const { bake, counts } = makeEngine()
  bake(steps)
  bake(changed('base', { files: 'x' }))
  bake(steps)
  t.deepEqual(counts, { base: 2, one: 2, two: 2, image: 2 })
})

test('a result that is gone is made again alone; those above it are still right', (t) => {
  const { bake, counts, sealed } = makeEngine()
  bake(steps)
  const [, one, , image] = keysOf(steps)
  for (const key of [one, image]) if (key) sealed.delete(key)
  t.deepEqual(whyOf(bake(steps)), {
    one: 'its result is no longer in the cache',
    image: 'its result is no longer in the cache',
  })
  t.deepEqual(counts, { base: 1, one: 2, two: 1, image: 2 })
})

test('with the last result there, none below it is needed', (t) => {
  const { bake, counts, sealed } = makeEngine()
  bake(steps)
  const [base, one] = keysOf(steps)
  for (const key of [base, one]) if (key) sealed.delete(key)
  bake(steps)
  t.deepEqual(counts, { base: 1, one: 1, two: 1, image: 1 })
})

test('inputs that came and went are named', (t) => {
  const { bake } = makeEngine()
  bake(changed('two', { files: 'two', npm: 'x' }))
  t.is(whyOf(bake(changed('two', { files: 'y', artifacts: 'z' }))).two, 'changed: files, artifacts, npm')
})

test('a step whose history is older than the change below it says so', (t) => {
  const keyed = keySteps(steps)
  const [base, one] = keyed
  if (!base || !one) throw new Error('no steps')
  const history: History = { one: { key: hashBytes('older'), inputs: one.inputs, durationMs: 1 } }
  t.is(planSteps(keyed, new Set([base.key]), history)[1]?.why, 'the steps below it changed')
})

test('no steps, no plan', (t) => {
  t.deepEqual(planSteps(keySteps([]), new Set(), {}), [])
})
