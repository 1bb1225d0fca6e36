import { basename } from 'node:path'
import { type Issue, suggestion } from './issue.ts'
import type { LoadedProfile } from './profile.ts'
import type { Stage } from './schema.ts'
import { issueAt } from './source.ts'

type Slot = Stage['slots'][number]

/** What the profiles of a chain give for a slot; the nearest has the last word. */
const givenFor = (chain: readonly LoadedProfile[], stage: Stage, slot: Slot) =>
  chain.map(({ file }) => file.artifacts[stage.name]?.[slot.name]).findLast((given) => given !== undefined)

/**
 * The stage with an artifact for each slot that a profile fills. Of an archive the file that is named as the slot's path
 * is taken, unless the profile names another member; or all that it holds, when the slot unpacks it.
 */
export const fillSlots = (chain: readonly LoadedProfile[], stage: Stage): Stage => {
  const filled = stage.slots.flatMap((slot): Stage['artifacts'] => {
    const given = givenFor(chain, stage, slot)
    if (given === undefined) return []
    const { name, path, mode, unpack } = slot
    if (unpack) return [{ name, path, mode, unpack, ...given }]
    return [{ name, path, mode, ...given, member: given.member ?? basename(path) }]
  })
  return filled.length === 0 ? stage : { ...stage, artifacts: [...stage.artifacts, ...filled] }
}

/** Artifacts of a profile for which there is no stage or no slot. `broken` says that some stage did not load. */
export const checkGiven = (
  { file, source }: LoadedProfile,
  stages: ReadonlyMap<string, Stage>,
  broken: boolean,
): Issue[] =>
  Object.entries(file.artifacts).flatMap(([stageName, given]) => {
    const stage = stages.get(stageName)
    if (stage === undefined) {
      if (broken) return []
      const message = `the profile has no stage \`${stageName}\`${suggestion(stageName, stages.keys())}`
      return [issueAt(source, ['artifacts', stageName], message, 'key')]
    }
    const slots = stage.slots.map(({ name }) => name)
    return Object.entries(given).flatMap(([name, { member }]) => {
      const slot = stage.slots.find((candidate) => candidate.name === name)
      if (slot === undefined) {
        const message = `the stage \`${stageName}\` has no slot \`${name}\`${suggestion(name, slots)}`
        return [issueAt(source, ['artifacts', stageName, name], message, 'key')]
      }
      if (!slot.unpack || member === undefined) return []
      const message = `the slot \`${name}\` takes all that the archive holds, so there is no \`member\` to name`
      return [issueAt(source, ['artifacts', stageName, name, 'member'], message, 'key')]
    })
  })
