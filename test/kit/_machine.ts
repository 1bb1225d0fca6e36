import { join } from 'node:path'
import type { Project } from '../../builder/core/project.ts'
import { runCommand } from '../../builder/host/command.ts'
import { resolveProfile } from '../../builder/profile/resolve.ts'
import type { Checkout } from '../support/checkout.ts'

/** The smallest profile that can be asked something when it has booted. */
export const hut = ['stages: [ssh]', 'image: {marginMiB: 64}']

/** Make a kit of some profiles of a checkout, in a folder; its key is the checkout's own. Returns its fingerprint. */
export const makeKitOf = async (
  { project, runJson }: Checkout,
  folder: string,
  profiles: readonly string[],
): Promise<string> => {
  const key = join(project.root, 'kit-key.asc')
  const run = await runJson(['kit', folder, '--profile', ...profiles, '--key', key])
  if (run.exitCode !== 0) throw new Error(`no kit was made:\n${run.stderr}`)
  return String(run.data.fingerprint)
}

/** Start pibake from a stick where no network is, with nothing but a desk of its own; what it prints. */
export const runFromStick = async (stick: string, desk: string, args: readonly string[]): Promise<string> => {
  const command = ['unshare', '--net', 'sh', join(stick, 'pibake'), ...args]
  const { stdout } = await runCommand(command, { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', PIBAKE_DESK: desk } })
  return stdout
}

/** Names of the packages that pibake builds of a profile's stages. */
export const ownPackages = async (project: Project, profile: string): Promise<string[]> =>
  (await resolveProfile(project, profile)).stages.map(({ stage }) => `pibake-${stage.name}`).sort()
