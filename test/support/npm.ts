import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../../builder/host/command.ts'

const PATH = process.env.PATH ?? ''

/** Why npm cannot be run here, or undefined. */
export const noNpm: string | undefined = await runCommand(['npm', '--version'], { env: { PATH } }).then(
  () => undefined,
  () => 'there is no npm here',
)

interface InstalledLock {
  packages: Readonly<Record<string, { version: string; resolved: string; integrity: string } | undefined>>
}

/** Let npm install a package from a registry into a new folder; the lock that it wrote. */
export const installFrom = async (registry: string, folder: string, name: string): Promise<InstalledLock> => {
  await mkdir(folder)
  await writeFile(join(folder, 'package.json'), '{"name":"neighbour","version":"1.0.0"}')
  const env = { PATH, HOME: folder, npm_config_cache: join(folder, '.cache') }
  const install = ['npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts', '--registry', registry, name]
  await runCommand(install, { cwd: folder, env })
  return JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8'))
}
