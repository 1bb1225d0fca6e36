import { join, relative } from 'node:path'
import { hashBytes, hashJson, type Sha256 } from '../core/digest.ts'
import type { Project } from '../core/project.ts'
import type { Lock } from '../lock/schema.ts'
import { describeFolder } from '../profile/content.ts'
import type { Stage } from '../profile/schema.ts'
import { readStageVersions, rememberStageVersions, type StageVersions } from './history.ts'
import type { Kitchen } from './kitchen.ts'
import { npmContent } from './steps.ts'

/** Files of a stage's folder that reach its package as what they say, if at all, and not as they are. */
const readForTheirMeaning: ReadonlySet<string> = new Set([
  'README.md',
  'stage.yaml',
  'npm/package-lock.json',
  'npm/node_modules',
])

/**
 * Digest of what a stage puts into its package, whatever a profile sets and whichever pibake builds it, at whatever
 * time. Comments and the order of the fields in `stage.yaml` have no part in it.
 */
const contentDigest = async (stage: Stage, lock: Lock): Promise<Sha256> => {
  const { summary, description, needs, conflicts, packages, settings, checks, labChecks, portal } = stage
  const artifacts = stage.artifacts.map(({ name, sha256, path, mode, unpack }) => [
    name,
    sha256,
    path,
    mode,
    ...(unpack ? ['unpack'] : []),
  ])
  return hashJson({
    says: hashBytes(
      JSON.stringify([
        ...[summary, description, needs, packages, settings, checks, portal, artifacts],
        ...labChecks,
        ...conflicts,
      ]),
    ),
    stage: await describeFolder(stage.folder, readForTheirMeaning),
    overlay: stage.overlay === undefined ? null : await describeFolder(stage.overlay, new Set()),
    npm: npmContent(lock.npm[stage.name] ?? []),
  })
}

const listOf = (items: readonly string[]): string => new Intl.ListFormat('en-GB').format(items)

const describeChanged = (project: Project, changed: readonly Stage[]): string => {
  const files = changed.map(({ folder }) => relative(project.root, join(folder, 'stage.yaml')))
  const [first, another] = changed
  const what =
    first && !another
      ? `Stage \`${first.name}\` changed but is still version ${first.version}`
      : `Stages ${listOf(changed.map(({ name, version }) => `\`${name}\` (${version})`))} changed without a new version`
  return `${what}: nodes that upgrade from this image may keep what they have. Raise \`version\` in ${listOf(files)}.`
}

/**
 * Compare the stages of an image that has just been finished with what their versions stood for when this machine first
 * baked them in this profile: one notice names those that have changed since, every time, until their version is raised
 * or the change is taken back. Versions seen for the first time are remembered.
 */
export const noteStageVersions = async (
  kitchen: Pick<Kitchen, 'project' | 'profile' | 'lock' | 'emit'>,
): Promise<void> => {
  const { project, profile, lock, emit } = kitchen
  const known = await readStageVersions(project, profile.output)
  const changed: Stage[] = []
  const seen: Record<string, StageVersions[string]> = {}
  for (const { stage } of profile.stages) {
    const digest = await contentDigest(stage, lock)
    const versions = { [stage.version]: digest, ...known[stage.name] }
    if (versions[stage.version] !== digest) changed.push(stage)
    seen[stage.name] = versions
  }
  await rememberStageVersions(project, profile.output, { ...known, ...seen })
  if (changed.length > 0) emit({ type: 'notice', level: 'warn', message: describeChanged(project, changed) })
}
