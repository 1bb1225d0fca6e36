import { join } from 'node:path'
import { hashJson, type Sha256 } from '../core/digest.ts'
import type { Architecture } from '../host/architecture.ts'
import { gptTypes } from '../image/encode-gpt.ts'
import type { GptIdentity } from '../image/layout.ts'
import type { BaseImage } from '../image/open.ts'
import { partuuidOf } from '../image/table.ts'
import type { KeyedStep } from '../plan/plan.ts'
import { type TargetName, targets } from '../profile/target.ts'
import { runInRoot } from '../root/root.ts'
import type { TargetPackages } from '../root/twins.ts'
import type { Kitchen } from './kitchen.ts'
import { bakeLayer } from './layer.ts'

const script = join(import.meta.dirname, 'finalise.sh')

/** The types of root partitions by which systemd knows the architecture (Discoverable Partitions Specification). */
const rootTypes: Readonly<Partial<Record<Architecture, string>>> = {
  amd64: gptTypes.rootAmd64,
  arm64: gptTypes.rootArm64,
}

/** What an image's table and file systems are called. */
export interface ImageIdentity {
  diskId: string
  rootUuid: string
  hashSeed: string
  /** Where the target's firmware is UEFI. */
  gpt?: GptIdentity
}

/** What an image is called, all from the key of `finalise`, so that equal images have equal names. */
export const identityOf = (key: Sha256, target: TargetName): ImageIdentity => {
  const uuid = (text: string): string => {
    const hex = hashJson([key, text])
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  }
  const { architecture, firmware } = targets[target]
  const gpt = {
    diskGuid: uuid('disk'),
    bootGuid: uuid('boot partition'),
    rootGuid: uuid('root partition'),
    rootType: rootTypes[architecture] ?? gptTypes.linux,
  }
  return {
    diskId: hashJson([key, 'disk']).slice(0, 8),
    rootUuid: uuid('root'),
    hashSeed: uuid('hash seed'),
    ...(firmware === 'uefi' ? { gpt } : {}),
  }
}

/** What Linux calls the two partitions of an image. */
const partuuidsOf = ({ diskId, gpt }: ImageIdentity): { boot: string; root: string } => ({
  boot: gpt?.bootGuid ?? partuuidOf(diskId, { number: 1 }),
  root: gpt?.rootGuid ?? partuuidOf(diskId, { number: 2 }),
})

/** Bake the last layer: no identity, no traces of the bake, a boot partition that finds its root (see `finalise.sh`). */
export const bakeFinalise = (
  kitchen: Kitchen,
  options: { step: KeyedStep; lower: readonly string[]; packages: TargetPackages; base: BaseImage | undefined },
): Promise<string> => {
  const { signal, profile } = kitchen
  const { base, ...layer } = options
  const { boot, root: rootPartition } = partuuidsOf(identityOf(options.step.key, profile.target))
  // An image that is written upon a base keeps its ids, and with them all that names a partition.
  const partitions = base ? [] : [boot, rootPartition]
  return bakeLayer(kitchen, { ...layer, debs: [] }, (root, onLine) =>
    runInRoot(root, ['bash', '/pibake/finalise.sh', profile.hostname, ...partitions], {
      signal,
      onLine,
      mounts: [{ source: script, target: '/pibake/finalise.sh' }],
    }),
  )
}
