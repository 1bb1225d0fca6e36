import { readdir, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { exists } from '../core/file.ts'
import type { Project } from '../core/project.ts'
import { type Issue, throwIssues } from './issue.ts'
import { type Stage, type StageFile, stageFileSchema } from './schema.ts'
import { issueAt, readSource, type Source } from './source.ts'
import { validate } from './validate.ts'

/** A stage together with its file, so that later checks can point into it. */
export interface LoadedStage {
  stage: Stage
  source: Source
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  )

/** Path as people see it: relative to the checkout where it lies inside. */
export const shownPath = (project: Project, path: string): string => {
  const inside = relative(project.root, path)
  return inside.startsWith('..') ? path : inside
}

/** Names of all stages: the folders below `stages/` that hold a `stage.yaml`, sorted. */
export const listStageNames = async (project: Project): Promise<string[]> => {
  const entries = await readdir(project.stages, { withFileTypes: true }).catch(() => [])
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  const present = await Promise.all(names.map((name) => exists(join(project.stages, name, 'stage.yaml'))))
  return names.filter((_name, index) => present[index]).sort()
}

/** Lists of a stage whose items are called by a name that stands once in each. */
const namedLists = ['checks', 'labChecks', 'powerChecks', 'artifacts', 'slots'] as const

const repeatedNames = (source: Source, list: string, names: readonly string[]): Issue[] =>
  names.flatMap((name, index) =>
    names.indexOf(name) === index ? [] : [issueAt(source, [list, index], `\`${name}\` stands here a second time`)],
  )

const checkFiles = async (folder: string, file: StageFile, source: Source): Promise<Issue[]> => {
  const issues: Issue[] = []
  for (const [index, check] of file.checks.entries()) {
    if (!(await exists(join(folder, 'checks', check.run)))) {
      issues.push(issueAt(source, ['checks', index, 'run'], `the file \`checks/${check.run}\` does not exist`))
    }
  }
  for (const [index, { run, peer }] of file.labChecks.entries()) {
    for (const [key, name] of Object.entries({ run, peer })) {
      if (name === undefined || (await exists(join(folder, 'lab', name)))) continue
      issues.push(issueAt(source, ['labChecks', index, key], `the file \`lab/${name}\` does not exist`))
    }
  }
  for (const [index, { write, verify }] of file.powerChecks.entries()) {
    for (const [key, name] of Object.entries({ write, verify })) {
      if (await exists(join(folder, 'checks', name))) continue
      issues.push(issueAt(source, ['powerChecks', index, key], `the file \`checks/${name}\` does not exist`))
    }
  }
  for (const [index, artifact] of file.artifacts.entries()) {
    if (artifact.file !== undefined && artifact.url === undefined && !(await exists(join(folder, artifact.file)))) {
      issues.push(issueAt(source, ['artifacts', index, 'file'], `the file \`${artifact.file}\` does not exist`))
    }
  }
  return issues
}

const findNpm = async (folder: string, file: StageFile, source: Source): Promise<{ npm: boolean; issues: Issue[] }> => {
  if (file.npm === false) return { npm: false, issues: [] }
  const names = ['package.json', 'package-lock.json']
  const present = await Promise.all(names.map((name) => exists(join(folder, 'npm', name))))
  const missing = names.filter((_name, index) => !present[index])
  if (missing.length === 0) return { npm: true, issues: [] }
  if (missing.length === names.length && file.npm === undefined) return { npm: false, issues: [] }
  return { npm: false, issues: missing.map((name) => issueAt(source, ['npm'], `the file \`npm/${name}\` is missing`)) }
}

/** Read one stage; mistakes come back as issues, and the stage only when there is none. */
export const loadStage = async (
  project: Project,
  name: string,
): Promise<{ loaded: LoadedStage | undefined; issues: Issue[] }> => {
  const folder = join(project.stages, name)
  const path = join(folder, 'stage.yaml')
  const { source, issues: syntax } = await readSource(path, shownPath(project, path))
  if (syntax.length > 0) return { loaded: undefined, issues: syntax }
  const { value: file, issues: schema } = validate(stageFileSchema, source)
  if (file === undefined) return { loaded: undefined, issues: schema }
  const { npm, issues: npmIssues } = await findNpm(folder, file, source)
  const issues = [
    ...(file.name === name ? [] : [issueAt(source, ['name'], `expected \`${name}\`, the name of the stage's folder`)]),
    ...namedLists.flatMap((list) =>
      repeatedNames(
        source,
        list,
        file[list].map(({ name }) => name),
      ),
    ),
    ...file.slots.flatMap(({ name: slot }, index) =>
      file.artifacts.some((artifact) => artifact.name === slot)
        ? [issueAt(source, ['slots', index, 'name'], `an artifact is called \`${slot}\` already`)]
        : [],
    ),
    ...(await checkFiles(folder, file, source)),
    ...npmIssues,
  ]
  if (issues.length > 0) return { loaded: undefined, issues }
  const overlay = join(project.overlays, name)
  const stage: Stage = { ...file, npm, folder, overlay: (await isFolder(overlay)) ? overlay : undefined }
  return { loaded: { stage, source }, issues: [] }
}

/** Every stage of the checkout, sorted by name. Throws `CONFIG_INVALID` with all mistakes in all of them. */
export const listStages = async (project: Project): Promise<Stage[]> => {
  const results = await Promise.all((await listStageNames(project)).map((name) => loadStage(project, name)))
  throwIssues(results.flatMap((result) => result.issues))
  return results.flatMap((result) => (result.loaded ? [result.loaded.stage] : []))
}
