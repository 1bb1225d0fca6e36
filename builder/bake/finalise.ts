import { join } from 'node:path'
import { hashJson, type Sha256 } from '../core/digest.ts'
import type { KeyedStep } from '../plan/plan.ts'
import { runInRoot } from '../root/root.ts'
import type { TargetPackages } from '../root/twins.ts'
import type { Kitchen } from './kitchen.ts'
import { bakeLayer } from './layer.ts'

const script = join(import.meta.dirname, 'finalise.sh')

/** What an image's table and file systems are called: from the key of `finalise`, so that equal images have equal names. */
export const identityOf = (key: Sha256): { diskId: string; rootUuid: string; hashSeed: string } => {
  const uuid = (text: string): string => {
    const hex = hashJson([key, text])
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  }
  return { diskId: hashJson([key, 'disk']).slice(0, 8), rootUuid: uuid('root'), hashSeed: uuid('hash seed') }
}

/** Bake the last layer: no identity, no traces of the bake, a boot partition that finds its root (see `finalise.sh`). */
export const bakeFinalise = (
  kitchen: Kitchen,
  options: { step: KeyedStep; lower: readonly string[]; packages: TargetPackages },
): Promise<string> => {
  const { signal, profile } = kitchen
  const { diskId } = identityOf(options.step.key)
  return bakeLayer(kitchen, { ...options, debs: [] }, (root, onLine) =>
    runInRoot(root, ['bash', '/pibake/finalise.sh', diskId, profile.hostname], {
      signal,
      onLine,
      mounts: [{ source: script, target: '/pibake/finalise.sh' }],
    }),
  )
}
