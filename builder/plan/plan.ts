import { hashJson, type Json, type Sha256 } from '../core/digest.ts'

/** One named thing that a step's result depends on. Two bakes with equal inputs make equal bytes. */
export interface Input {
  /** For people: `packages`, `files and settings`, `npm tree` … */
  name: string
  digest: Sha256
}

/** A step of a bake. Steps run in order, each on top of the one before. */
export interface Step {
  /** `base`, a stage's name, `finalise` or `image`. */
  id: string
  title: string
  inputs: readonly Input[]
}

/** A step with its key: a pure function of its own inputs and of the key of the step below. */
export interface KeyedStep extends Step {
  key: Sha256
}

/** Give each step its key. */
export const keySteps = (steps: readonly Step[]): KeyedStep[] => {
  let below: Sha256 | undefined
  return steps.map((step) => {
    const key = hashJson({ id: step.id, below: below ?? null, inputs: inputsJson(step.inputs) })
    below = key
    return { ...step, key }
  })
}

const inputsJson = (inputs: readonly Input[]): Json => inputs.map(({ name, digest }) => [name, digest])

/** What is remembered of a step's last run, to say why it runs again and how long that may take. */
export interface StepHistory {
  key: Sha256
  inputs: readonly Input[]
  durationMs: number
}

export type History = Readonly<Record<string, StepHistory>>

/** What will happen to a step, and why. */
export interface PlannedStep extends KeyedStep {
  action: 'cached' | 'run'
  why: string
  /** How long it took last time, in milliseconds. */
  expectedMs: number | undefined
}

/**
 * Decide what runs. `sealed` tells which keys have a result. When the last step has one, nothing else is needed. Otherwise
 * each step without a result runs; one with a result is used even above one that runs again, because its key says that
 * what is below will be the same.
 */
export const planSteps = (
  steps: readonly KeyedStep[],
  sealed: ReadonlySet<Sha256>,
  history: History,
): PlannedStep[] => {
  const top = steps.at(-1)
  const whole = top !== undefined && sealed.has(top.key)
  let below: string | undefined
  return steps.map((step) => {
    const last = history[step.id]
    const action = whole || sealed.has(step.key) ? 'cached' : 'run'
    const why = action === 'cached' ? 'nothing changed' : explain(step, last, below)
    if (action === 'run') below = step.id
    return { ...step, action, why, expectedMs: last?.durationMs }
  })
}

const explain = (step: KeyedStep, last: StepHistory | undefined, below: string | undefined): string => {
  if (!last) return 'never run before'
  if (last.key === step.key) return 'its result is no longer in the cache'
  const before = new Map(last.inputs.map(({ name, digest }) => [name, digest]))
  const changed = step.inputs.filter(({ name, digest }) => before.get(name) !== digest).map(({ name }) => name)
  for (const { name } of last.inputs) if (!step.inputs.some((input) => input.name === name)) changed.push(name)
  if (changed.length > 0) return `changed: ${changed.join(', ')}`
  return below === undefined ? 'the steps below it changed' : `\`${below}\` below it runs again`
}
