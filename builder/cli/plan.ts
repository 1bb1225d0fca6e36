import type { BakePlan } from '../bake/prepare.ts'
import { formatBytes, formatDuration } from '../core/size.ts'
import type { Paint } from '../report/style.ts'
import { renderTable } from '../report/table.ts'
import { baseOption, chosenProfile, profileOption } from './chosen.ts'
import { defineCommand } from './command.ts'
import { planOf } from './planned.ts'

const toData = ({ profile, lock, steps, image, missing }: BakePlan) => ({
  profile: profile.name,
  target: profile.target,
  time: lock.time,
  image: image === undefined ? null : { sha256: image.sha256 },
  steps: steps.map(({ id, title, key, action, why, expectedMs }) => ({ id, title, key, action, why, expectedMs })),
  missing,
})

/** The steps as a table, then what has to be fetched. */
export const renderPlan = ({ steps, missing }: Pick<BakePlan, 'steps' | 'missing'>, paint: Paint): string[] => {
  const rows = steps.map(({ id, action, why, expectedMs }) => [
    action === 'run' ? paint('yellow', 'run') : paint('green', 'cached'),
    id,
    why,
    action === 'run' && expectedMs !== undefined ? `took ${formatDuration(expectedMs)}` : '',
  ])
  const running = steps.filter(({ action }) => action === 'run')
  const knownMs = running.reduce((sum, { expectedMs }) => sum + (expectedMs ?? 0), 0)
  const known = running.every(({ expectedMs }) => expectedMs !== undefined)
  const time = running.length > 0 && known ? `, about ${formatDuration(knownMs)}` : ''
  const bytes = missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  return [
    ...renderTable(rows),
    '',
    `${running.length} of ${steps.length} steps to run${time}.`,
    missing.length === 0 ? 'Nothing to download.' : `${missing.length} items to download, ${formatBytes(bytes)}.`,
  ]
}

export const plan = defineCommand({
  options: { ...profileOption, ...baseOption },
  positionals: {},
  examples: [
    ['$0 plan --profile pub', 'Each step: cached or to run, why, and how long it took last time'],
    ['$0 plan --profile pub --json', 'The same with keys and every missing item'],
  ],
  async run({ profile, target, base }, context) {
    const planned = await planOf(context, { name: chosenProfile(profile), target, base })
    return { data: toData(planned), lines: (paint) => renderPlan(planned, paint) }
  },
})
