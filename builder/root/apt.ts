import { join } from 'node:path'
import { runInRoot, type TargetRoot } from './root.ts'

const file = (name: string): { source: string; target: string } => ({
  source: join(import.meta.dirname, name),
  target: `/pibake/${name}`,
})

interface WorkOptions {
  signal?: AbortSignal
  onLine?: (line: string) => void
}

/**
 * Make dpkg work in an empty root. `debs` are file names in the step's repository: the essential packages and all they
 * depend on. Throws `COMMAND_FAILED` with the tail of what was printed.
 */
export const bootstrapRoot = (root: TargetRoot, debs: readonly string[], options: WorkOptions): Promise<void> =>
  runInRoot(root, ['bash', '/pibake/bootstrap.sh', root.architecture, ...debs], {
    ...options,
    mounts: [file('bootstrap.sh')],
  })

/**
 * Install packages by name from the step's repository, which holds nothing but what the lock names. With `reinstall` also
 * those that are there in the same version.
 */
export const installPackages = (
  root: TargetRoot,
  names: readonly string[],
  { reinstall, ...options }: WorkOptions & { reinstall?: boolean },
): Promise<void> =>
  runInRoot(root, ['bash', '/pibake/apt.sh', root.architecture, ...(reinstall ? ['--reinstall'] : []), ...names], {
    ...options,
    mounts: [file('apt.sh'), file('apt.conf')],
  })
