import { PibakeError } from '../core/error.ts'
import type { Project } from '../core/project.ts'
import { architectureIn, type Base, basePattern, baseSlug, readBase } from './base.ts'
import { type Issue, suggestion, throwIssues } from './issue.ts'
import { type LoadedProfile, loadProfileChain } from './profile.ts'
import { alternativesOf, type ResolvedProfile, type SettingValue, type Stage, type Suite } from './schema.ts'
import { checkGiven, fillSlots } from './slots.ts'
import { type DataPath, issueAt, type Source } from './source.ts'
import { type LoadedStage, listStageNames, loadStage } from './stage.ts'
import { defaultTarget, outputName, type TargetName, targets } from './target.ts'

/** Where a stage is named: an entry of a profile's `stages` or of another stage's `needs`. */
interface Mention {
  name: string
  source: Source
  path: DataPath
}

interface Ordering {
  order: LoadedStage[]
  issues: Issue[]
}

/**
 * Visit the stages depth first, needs before the stage, otherwise in the order in which they are named. Of alternatives
 * those count that a profile lists, else the first.
 */
const orderStages = async (project: Project, mentions: readonly Mention[]): Promise<Ordering> => {
  const known = await listStageNames(project)
  const listed = new Set(mentions.map(({ name }) => name))
  const done = new Set<string>()
  const order: LoadedStage[] = []
  const issues: Issue[] = []
  const visit = async ({ name, source, path }: Mention, trail: readonly string[]): Promise<void> => {
    if (trail.includes(name)) {
      const circle = [...trail.slice(trail.indexOf(name)), name].join(' → ')
      issues.push(issueAt(source, path, `stages need each other in a circle: ${circle}`))
      return
    }
    if (done.has(name)) return
    if (!known.includes(name)) {
      issues.push(issueAt(source, path, `there is no stage \`${name}\`${suggestion(name, known)}`))
      return
    }
    const result = await loadStage(project, name)
    issues.push(...result.issues)
    const { loaded } = result
    for (const [index, need] of (loaded?.stage.needs ?? []).entries()) {
      if (!loaded) continue
      const alternatives = alternativesOf(need)
      const missing = alternatives.find((alternative) => !known.includes(alternative))
      const chosen = missing ?? alternatives.find((alternative) => listed.has(alternative)) ?? alternatives[0] ?? need
      await visit({ name: chosen, source: loaded.source, path: ['needs', index] }, [...trail, name])
    }
    done.add(name)
    if (loaded) order.push(loaded)
  }
  for (const mention of mentions) await visit(mention, [])
  return { order, issues }
}

const mentionsIn = ({ file, source }: LoadedProfile): Mention[] =>
  file.stages.map((name, index) => ({ name, source, path: ['stages', index] }))

/** Stages that cannot be together, said where a profile lists the one or the other last. */
const checkConflicts = (mentions: readonly Mention[], order: readonly LoadedStage[]): Issue[] => {
  const present = new Set(order.map(({ stage }) => stage.name))
  return order.flatMap(({ stage, source }) =>
    stage.conflicts.flatMap((other, index) => {
      if (!present.has(other)) return []
      const mention = mentions.findLast(({ name }) => name === stage.name || name === other)
      const place = mention ?? { source, path: ['conflicts', index] }
      return [issueAt(place.source, place.path, `\`${stage.name}\` and \`${other}\` cannot be on one image: list one`)]
    }),
  )
}

/** The stages of a target stand in no file: a mistake in their names is shown where the profile's name is. */
const mentionsOfTarget = (target: TargetName, { source }: LoadedProfile): Mention[] =>
  targets[target].stages.map((name) => ({ name, source, path: ['name'] }))

/** Why a profile cannot be baked for a target. */
const misfitsOf = (target: TargetName, { base, suite }: { base: Base; suite: Suite }): string[] => {
  const { suites } = targets[target]
  return [
    ...(target !== defaultTarget && base.kind === 'image' ? ['starts from an image, which is for a Raspberry Pi'] : []),
    ...(suites && !suites.includes(suite) ? [`is of ${suite}, and the target needs ${suites.join(' or ')}`] : []),
  ]
}

const typeOf = (value: SettingValue): string =>
  Array.isArray(value)
    ? 'a list'
    : ({ string: 'text', number: 'a number', boolean: 'true or false' }[typeof value as 'string'] ?? '')

const checkSettings = (
  { file, source }: LoadedProfile,
  stages: ReadonlyMap<string, Stage>,
  broken: boolean,
): Issue[] => {
  const issues: Issue[] = []
  for (const [stageName, values] of Object.entries(file.settings)) {
    const stage = stages.get(stageName)
    if (stage === undefined) {
      // A stage that did not load is reported already.
      const message = `the profile has no stage \`${stageName}\`${suggestion(stageName, stages.keys())}`
      if (!broken) issues.push(issueAt(source, ['settings', stageName], message, 'key'))
      continue
    }
    for (const [name, value] of Object.entries(values)) {
      const path = ['settings', stageName, name]
      const setting = Object.hasOwn(stage.settings, name) ? stage.settings[name] : undefined
      if (setting === undefined) {
        const meant = suggestion(name, Object.keys(stage.settings))
        issues.push(issueAt(source, path, `the stage \`${stageName}\` has no setting \`${name}\`${meant}`, 'key'))
      } else if (typeOf(setting.default) !== typeOf(value)) {
        issues.push(issueAt(source, path, `expected ${typeOf(setting.default)}, got ${typeOf(value)}`))
      }
    }
  }
  return issues
}

const repeatedStages = ({ file, source }: LoadedProfile): Issue[] =>
  file.stages.flatMap((name, index) =>
    file.stages.indexOf(name) === index
      ? []
      : [issueAt(source, ['stages', index], `\`${name}\` stands here a second time`)],
  )

/** A stage's settings: its defaults, the profile's host name for a setting of that name, then what profiles say. */
const settingsOf = (chain: readonly LoadedProfile[], stage: Stage, hostname: string): Record<string, SettingValue> => ({
  ...Object.fromEntries(Object.entries(stage.settings).map(([name, setting]) => [name, setting.default])),
  ...('hostname' in stage.settings ? { hostname } : {}),
  ...Object.assign({}, ...chain.map(({ file }) => file.settings[stage.name] ?? {})),
})

/** What `--base` names, relative to the working folder; undefined when it is not given. */
const givenBase = (project: Project, base: string | undefined) => {
  if (base === undefined) return undefined
  if (basePattern.test(base)) return readBase(base, { folder: process.cwd(), checkout: project.root })
  throw new PibakeError('USAGE', `\`${base}\` is nothing that a bake can start from.`, {
    hint: 'Name `debian`, an image as `pibake bases` lists them, an address, or a file ending in `.img`, `.img.xz`, `.img.gz`, `.img.zst` or `.zip`.',
  })
}

/**
 * Look a profile up, by name or by the path of a YAML file, with everything it names. Stages come in bake order: needs
 * first (pulled in when not listed), otherwise as listed, an extended profile's before its own. An image base is
 * relative to the checkout. `base` takes the place of the profile's own, and then the profile is called
 * `<profile>-on-<base>`, for it has an image and a lock of its own. Throws `UNKNOWN_NAME` for a profile that does not
 * exist, and one `CONFIG_INVALID` with every mistake in the profile and its stages, or why it cannot be baked for `target`.
 */
export const resolveProfile = async (
  project: Project,
  profile: string,
  { target = defaultTarget, base: named }: { target?: TargetName | undefined; base?: string | undefined } = {},
): Promise<ResolvedProfile> => {
  const given = givenBase(project, named)
  const chain = await loadProfileChain(project, profile)
  const nearestProfile = chain.at(-1)
  if (nearestProfile === undefined) throw new Error('an empty chain of profiles')
  const own = nearestProfile.file
  const mentions = [...mentionsOfTarget(target, nearestProfile), ...chain.flatMap(mentionsIn)]
  const { order, issues } = await orderStages(project, mentions)
  const stages = new Map(order.map(({ stage }) => [stage.name, stage]))
  const broken = issues.length > 0
  throwIssues([
    ...chain.flatMap(repeatedStages),
    ...issues,
    ...checkConflicts(mentions, order),
    ...chain.flatMap((loaded) => checkSettings(loaded, stages, broken)),
    ...chain.flatMap((loaded) => checkGiven(loaded, stages, broken)),
  ])
  const last = <T>(pick: (loaded: LoadedProfile) => T | undefined): T | undefined =>
    chain.map(pick).findLast((value) => value !== undefined)
  const ownBase = readBase(last(({ file }) => file.base) ?? 'debian', { folder: project.root, checkout: project.root })
  const base = given ?? ownBase
  const suite = last(({ file }) => file.suite) ?? 'trixie'
  // The Pi is the one target that may have 32 bits.
  const architecture =
    target === defaultTarget
      ? (last(({ file }) => file.architecture) ?? architectureIn(base) ?? 'arm64')
      : targets[target].architecture
  const [misfit] = misfitsOf(target, { base, suite })
  if (misfit !== undefined) {
    throw new PibakeError(
      'CONFIG_INVALID',
      `The profile \`${own.name}\` ${misfit}: it has no image for \`${target}\`.`,
      {
        hint: `Bake it for \`${defaultTarget}\`, or write a profile that suits the target.`,
      },
    )
  }
  const hostname = last(({ file }) => file.hostname) ?? own.name
  const name =
    given && (given.kind === 'image' || ownBase.kind === 'image') ? `${own.name}-on-${baseSlug(given)}` : own.name
  return {
    name,
    summary: own.summary,
    hostname,
    base,
    suite,
    target,
    architecture,
    output: outputName(name, target),
    stages: order.map(({ stage }) => ({
      stage: fillSlots(chain, stage),
      settings: settingsOf(chain, stage, hostname),
    })),
    extraPackages: [...new Set(chain.flatMap(({ file }) => file.extraPackages))],
    image: {
      bootMiB: last(({ file }) => file.image.bootMiB) ?? 256,
      marginMiB: last(({ file }) => file.image.marginMiB) ?? 256,
    },
  }
}
