import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Project } from '../core/project.ts'

/** The version of pibake in a checkout. */
export const readVersion = async ({ root }: Pick<Project, 'root'>): Promise<string> => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  return version
}
