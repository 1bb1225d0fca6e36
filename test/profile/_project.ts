import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { type Project, projectAt } from '../../builder/core/project.ts'

/** Text of a file; a script that is executable; or a symbolic link. */
export type FileSpec = string | { executable: string } | { link: string }

/** Write files below `root`, with their folders. */
export const writeFiles = async (root: string, files: Readonly<Record<string, FileSpec>>): Promise<void> => {
  for (const [path, spec] of Object.entries(files)) {
    const target = join(root, path)
    await mkdir(dirname(target), { recursive: true })
    if (typeof spec === 'string') await writeFile(target, spec)
    else if ('link' in spec) await symlink(spec.link, target)
    else {
      await writeFile(target, spec.executable)
      await chmod(target, 0o755)
    }
  }
}

/** A temporary folder that goes when the test is over. */
export const temporaryFolder = async (t: ExecutionContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A small checkout with the given files. */
export const makeProject = async (t: ExecutionContext, files: Readonly<Record<string, FileSpec>>): Promise<Project> => {
  const root = await temporaryFolder(t)
  await writeFiles(root, files)
  return projectAt(root)
}

/** The text of a smallest stage, with further lines. */
export const stageYaml = (name: string, ...lines: string[]): string =>
  [`name: ${name}`, "version: '1.0'", `summary: The stage ${name}`, 'description: A stage.', ...lines, ''].join('\n')

/** The text of a smallest profile, with further lines. */
export const profileYaml = (name: string, ...lines: string[]): string =>
  [`name: ${name}`, `summary: The profile ${name}`, ...lines, ''].join('\n')
