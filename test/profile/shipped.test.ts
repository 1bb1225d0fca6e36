import test from 'ava'
import { projectAt } from '../../builder/core/project.ts'
import { listProfileNames } from '../../builder/profile/profile.ts'
import { resolveProfile } from '../../builder/profile/resolve.ts'
import { alternativesOf } from '../../builder/profile/schema.ts'
import { listStages } from '../../builder/profile/stage.ts'
import { targetNames } from '../../builder/profile/target.ts'
import { checkout } from '../support/tools.ts'

const project = projectAt(checkout)

const profiles = await listProfileNames(project)

for (const [name, target] of profiles.flatMap((profile) => targetNames.map((target) => [profile, target] as const))) {
  test(`the profile ${name} resolves for ${target}, each stage after what it needs`, async (t) => {
    const { stages } = await resolveProfile(project, name, { target })
    const names = stages.map(({ stage }) => stage.name)
    const early = stages.flatMap(({ stage }, index) =>
      stage.needs.filter((need) => !alternativesOf(need).some((name) => names.slice(0, index).includes(name))),
    )
    t.deepEqual(early, [])
    t.true(names.length > 0)
  })
}

test('every stage of the checkout is sound', async (t) => {
  t.true((await listStages(project)).length > 0)
})
