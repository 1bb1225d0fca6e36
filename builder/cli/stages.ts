import { PibakeError } from '../core/error.ts'
import { nearest } from '../core/text.ts'
import type { Stage } from '../profile/schema.ts'
import { listStages } from '../profile/stage.ts'
import type { Paint } from '../report/style.ts'
import { renderTable } from '../report/table.ts'
import { defineCommand } from './command.ts'
import { formatSetting, section } from './describe.ts'

/** A stage for `--json`, without the paths of this machine. */
const toData = ({ folder: _folder, overlay: _overlay, ...stage }: Stage) => stage

const describe = (stage: Stage, paint: Paint): string[] => [
  `${paint('bold', stage.name)} ${stage.version}: ${stage.summary}`,
  '',
  ...stage.description.split('\n'),
  ...section('Needs', stage.needs, paint),
  ...section('Cannot be with', stage.conflicts, paint),
  ...section('Debian packages', stage.packages, paint),
  ...section(
    'Slots for files that a profile gives',
    stage.slots.flatMap(({ name, description }) => [name, `    ${description}`]),
    paint,
  ),
  ...section(
    'Settings',
    Object.entries(stage.settings).flatMap(([name, setting]) => [
      `${name} = ${formatSetting(setting.default)}`,
      ...setting.description.split('\n').map((line) => `    ${line}`),
    ]),
    paint,
  ),
  ...section(
    'Checks',
    stage.checks.map(({ title }) => title),
    paint,
  ),
]

const unknownStage = (name: string, names: readonly string[]): PibakeError => {
  const meant = nearest(name, names)
  return new PibakeError('UNKNOWN_NAME', `There is no stage \`${name}\`.`, {
    hint: meant === undefined ? '`pibake stages` lists them.' : `Did you mean \`${meant}\`?`,
  })
}

export const stages = defineCommand({
  options: {},
  positionals: { stage: { type: 'string', describe: 'Describe this one, with its settings' } },
  examples: [
    ['$0 stages', 'What a profile can be made of'],
    ['$0 stages ssb-pub', 'What this stage brings, and its settings'],
  ],
  async run({ stage: name }, { project }) {
    const all = await listStages(project)
    if (name === undefined) {
      return {
        data: all.map(toData),
        lines: (paint) => renderTable(all.map((stage) => [paint('bold', stage.name), stage.version, stage.summary])),
      }
    }
    const stage = all.find((candidate) => candidate.name === name)
    if (!stage)
      throw unknownStage(
        name,
        all.map((candidate) => candidate.name),
      )
    return { data: toData(stage), lines: (paint) => describe(stage, paint) }
  },
})
