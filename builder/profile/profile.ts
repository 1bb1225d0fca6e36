import { readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { errnoOf, PibakeError } from '../core/error.ts'
import type { Project } from '../core/project.ts'
import { nearest } from '../core/text.ts'
import { type Issue, suggestion, throwIssues } from './issue.ts'
import { type ProfileFile, profileFileSchema } from './schema.ts'
import { issueAt, readSource, type Source } from './source.ts'
import { shownPath } from './stage.ts'
import { validate } from './validate.ts'

/** One profile file, with its place for issues. */
export interface LoadedProfile {
  file: ProfileFile
  source: Source
}

const isPath = (profile: string): boolean => profile.includes('/') || /\.ya?ml$/.test(profile)

/** Names of all profiles: the `.yaml` files below `stages/profiles/`, sorted. */
export const listProfileNames = async (project: Project): Promise<string[]> => {
  const entries = await readdir(project.profiles).catch(() => [])
  return entries
    .filter((entry) => entry.endsWith('.yaml'))
    .map((entry) => basename(entry, '.yaml'))
    .sort()
}

const unknownProfile = async (project: Project, profile: string, cause: unknown): Promise<PibakeError> => {
  const names = await listProfileNames(project)
  const meant = nearest(profile, names)
  return new PibakeError('UNKNOWN_NAME', `There is no profile \`${profile}\`.`, {
    hint: meant === undefined ? 'Name one of the profiles that are listed, or a file.' : `Did you mean \`${meant}\`?`,
    details: names,
    cause,
  })
}

const loadFile = async (
  project: Project,
  path: string,
): Promise<{ loaded: LoadedProfile | undefined; issues: Issue[] }> => {
  const { source, issues: syntax } = await readSource(path, shownPath(project, path))
  if (syntax.length > 0) return { loaded: undefined, issues: syntax }
  const { value: file, issues } = validate(profileFileSchema, source)
  if (file === undefined) return { loaded: undefined, issues }
  const expected = basename(path).replace(/\.ya?ml$/, '')
  if (file.name === expected) return { loaded: { file, source }, issues: [] }
  return { loaded: undefined, issues: [issueAt(source, ['name'], `expected \`${expected}\`, the name of the file`)] }
}

/**
 * Read a profile, by name or by the path of a YAML file, and what it extends: the farthest ancestor first, the profile
 * itself last. Throws `UNKNOWN_NAME` for a profile that does not exist, `CONFIG_INVALID` for mistakes and cycles.
 */
export const loadProfileChain = async (project: Project, profile: string): Promise<LoadedProfile[]> => {
  const chain: LoadedProfile[] = []
  const visited: string[] = []
  let path = isPath(profile) ? resolve(profile) : join(project.profiles, `${profile}.yaml`)
  for (;;) {
    const child = chain[0]
    if (child && visited.includes(path)) {
      const names = [...visited.slice(visited.indexOf(path)), path].map((file) => basename(file, '.yaml'))
      throwIssues([issueAt(child.source, ['extends'], `profiles extend each other in a circle: ${names.join(' → ')}`)])
    }
    visited.push(path)
    const result = await loadFile(project, path).catch(async (error: unknown) => {
      if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'EISDIR') throw error
      if (child === undefined) throw await unknownProfile(project, profile, error)
      const named = child.file.extends ?? ''
      const meant = suggestion(named, await listProfileNames(project))
      return {
        loaded: undefined,
        issues: [issueAt(child.source, ['extends'], `there is no profile \`${named}\`${meant}`)],
      }
    })
    throwIssues(result.issues)
    if (result.loaded === undefined) throw new Error(`no profile and no issue: ${path}`)
    chain.unshift(result.loaded)
    const parent = result.loaded.file.extends
    if (parent === undefined) return chain
    path = isPath(parent) ? resolve(dirname(path), parent) : join(project.profiles, `${parent}.yaml`)
  }
}

/** A profile as lists show it. */
export interface ProfileSummary {
  name: string
  summary: string
  /** Absolute path of its file. */
  path: string
}

/** Every profile of the checkout, sorted by name. Throws `CONFIG_INVALID` with all mistakes in all of them. */
export const listProfiles = async (project: Project): Promise<ProfileSummary[]> => {
  const paths = (await listProfileNames(project)).map((name) => join(project.profiles, `${name}.yaml`))
  const results = await Promise.all(paths.map((path) => loadFile(project, path)))
  throwIssues(results.flatMap((result) => result.issues))
  return results.flatMap(({ loaded }, index) =>
    loaded ? [{ name: loaded.file.name, summary: loaded.file.summary, path: paths[index] ?? '' }] : [],
  )
}
