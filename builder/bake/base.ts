import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PibakeError } from '../core/error.ts'
import { essentialClosure } from '../deb/closure.ts'
import { installedPackages } from '../deb/installed.ts'
import { debFileName, type RepositoryDeb } from '../deb/repository.ts'
import type { LockedDeb } from '../lock/schema.ts'
import type { KeyedStep } from '../plan/plan.ts'
import { basePackagesOf, kernelPackageOf } from '../profile/base-packages.ts'
import { bootstrapRoot, installPackages } from '../root/apt.ts'
import type { Kitchen } from './kitchen.ts'
import { bakeLayer } from './layer.ts'

/** Folders that base-files brings, with its modes. */
const mountPoints = [
  ['dev', 0o755],
  ['proc', 0o555],
  ['run', 0o755],
  ['sys', 0o555],
  ['tmp', 0o1777],
] as const

export const versionsOf = (debs: readonly LockedDeb[]): Map<string, string> =>
  new Map(debs.map(({ name, version }) => [name, version]))

/** Check that dpkg has installed exactly what the lock names; anything else means that apt chose differently. */
export const assertInstalled = async (root: string, step: string, debs: readonly LockedDeb[]): Promise<void> => {
  const installed = await installedPackages(root)
  const wrong = debs.filter(({ name, version }) => installed.get(name) !== version)
  if (wrong.length === 0) return
  throw new PibakeError('STAGE_FAILED', `Step \`${step}\` did not install what the lock names.`, {
    hint: 'Run `pibake fetch` to resolve the profile again.',
    details: wrong.map(
      ({ name, version }) => `${name}: locked ${version}, installed ${installed.get(name) ?? 'not at all'}`,
    ),
  })
}

/** Bake the base `debian` from nothing but packages: essentials first, then the rest with apt, the kernel last. */
export const bakeBase = (
  kitchen: Kitchen,
  options: { step: KeyedStep; scaffold: string; debs: readonly LockedDeb[]; described: readonly RepositoryDeb[] },
): Promise<string> => {
  const { step, scaffold, debs, described } = options
  const packages = { before: new Map<string, string>(), added: versionsOf(debs) }
  const essentials = essentialClosure(described.map(({ stanza }) => stanza)).map((stanza) =>
    debFileName({
      name: stanza.Package ?? '',
      version: stanza.Version ?? '',
      architecture: stanza.Architecture ?? '',
    }),
  )
  return bakeLayer(kitchen, { step, lower: [scaffold], debs: described, packages }, async (root, onLine) => {
    const { signal } = kitchen
    // They are mount points while packages are installed, so that dpkg finds them there and makes none of its own.
    for (const [name, mode] of mountPoints) {
      await mkdir(join(root.layer, 'upper', name), { mode })
      await chmod(join(root.layer, 'upper', name), mode)
    }
    await bootstrapRoot(root, essentials, { signal, onLine })
    await installPackages(root, basePackagesOf(kitchen.profile), { signal, onLine })
    await installPackages(root, [kernelPackageOf(kitchen.profile.architecture)], { signal, onLine })
    await assertInstalled(`${root.layer}/upper`, step.id, debs)
  })
}
