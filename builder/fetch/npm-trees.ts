import { join } from 'node:path'
import { PibakeError } from '../core/error.ts'
import { runStep } from '../core/event.ts'
import type { Architecture } from '../host/architecture.ts'
import type { LockedNpm } from '../lock/schema.ts'
import type { Stage } from '../profile/schema.ts'
import { type DownloadOptions, downloadAll } from './download.ts'
import { npmTargetOf, readNpmTree } from './npm.ts'
import { findRegistry, tarballUrl } from './registry.ts'

/**
 * Bring the npm packages of the stages into the cache, each checked against the integrity in the stage's own
 * `package-lock.json`. What an older lock knows of a package saves asking for it again. Throws as `downloadAll` does.
 */
export const fetchNpmTrees = async (
  stages: readonly Stage[],
  locked: Readonly<Record<string, readonly LockedNpm[]>>,
  options: Omit<DownloadOptions, 'stepId'> & { architecture: Architecture },
): Promise<Record<string, LockedNpm[]>> => {
  const { architecture, blobs, emit } = options
  const trees: Record<string, LockedNpm[]> = {}
  for (const stage of stages.filter(({ npm }) => npm)) {
    const known = new Map((locked[stage.name] ?? []).map((item) => [`${item.path} ${item.integrity}`, item]))
    const packages = await readNpmTree(join(stage.folder, 'npm'), npmTargetOf(architecture))
    const absent: typeof packages = []
    const found: LockedNpm[] = []
    for (const item of packages) {
      const before = known.get(`${item.path} ${item.integrity}`)
      if (before && (await blobs.hasBlob(before.sha256, before.sizeBytes))) found.push(before)
      else absent.push(item)
    }
    if (absent.length > 0) {
      const registry = await findRegistry()
      const id = `npm:${stage.name}`
      const title = `Download ${absent.length} npm packages of stage ${stage.name}`
      const { done, missing } = await runStep(emit, { id, title }, () =>
        downloadAll(
          absent.map((item) => ({
            ...item,
            label: `${item.name}@${item.version}`,
            urls: [tarballUrl(registry, item.name, item.version)],
          })),
          { ...options, stepId: id },
        ),
      )
      if (missing.length > 0) throw lacking(stage.name, missing)
      for (const { item, sha256, sizeBytes } of done) {
        const { name, version, path, integrity } = item
        found.push({ name, version, path, integrity, sha256, sizeBytes })
      }
    }
    trees[stage.name] = found
  }
  return trees
}

const lacking = (stage: string, missing: readonly { label: string }[]): PibakeError =>
  new PibakeError('NETWORK', `The npm registry lacks ${missing.length} packages of stage \`${stage}\`.`, {
    hint: 'Check which registry npm is set to use (`npm config get registry`); a mirror of it may be incomplete.',
    details: missing.map(({ label }) => label),
  })
