import { relative } from 'node:path'
import { listProfiles } from '../profile/profile.ts'
import { resolveProfile } from '../profile/resolve.ts'
import type { ResolvedProfile } from '../profile/schema.ts'
import type { Paint } from '../report/style.ts'
import { renderTable } from '../report/table.ts'
import { defineCommand } from './command.ts'
import { formatSetting, section } from './describe.ts'

/** A profile for `--json`, without the paths of this machine. */
const toData = ({ stages, ...profile }: ResolvedProfile) => ({
  ...profile,
  stages: stages.map(({ stage, settings }) => ({ name: stage.name, version: stage.version, settings })),
})

const describe = (profile: ResolvedProfile, paint: Paint): string[] => {
  const { name, summary, hostname, base, suite, architecture, stages, extraPackages } = profile
  const settings = stages.flatMap((entry) =>
    Object.entries(entry.settings).map(([key, value]) => `${entry.stage.name}.${key} = ${formatSetting(value)}`),
  )
  const facts = [
    ['base', base.kind === 'debian' ? `Debian ${suite}` : base.name],
    ['architecture', architecture],
    ['host name', hostname],
  ]
  return [
    `${paint('bold', name)}: ${summary}`,
    '',
    ...renderTable(facts),
    ...section('Stages', renderTable(stages.map(({ stage }) => [stage.name, stage.summary])), paint),
    ...section('Settings', settings, paint),
    ...section('Extra packages in its mirror', extraPackages, paint),
  ]
}

export const profiles = defineCommand({
  options: {},
  positionals: { profile: { type: 'string', describe: 'Describe this one, by name or by the path of its file' } },
  examples: [
    ['$0 profiles', 'What can be baked'],
    ['$0 profiles pub', 'Its stages in bake order, and every setting with its value'],
  ],
  async run({ profile: name }, { project }) {
    if (name === undefined) {
      const all = await listProfiles(project)
      return {
        data: all.map((profile) => ({ ...profile, path: relative(project.root, profile.path) })),
        lines: (paint) => renderTable(all.map(({ name, summary }) => [paint('bold', name), summary])),
      }
    }
    const profile = await resolveProfile(project, name)
    return { data: toData(profile), lines: (paint) => describe(profile, paint) }
  },
})
