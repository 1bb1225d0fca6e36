import { join } from 'node:path'
import { installedPackages } from '../deb/installed.ts'
import { type Mount, mountImage } from '../host/mount.ts'
import { openBase } from '../image/base.ts'
import { type BaseImage, extractBoot, inspectBase } from '../image/open.ts'
import type { LockedBase } from '../lock/schema.ts'
import type { KeyedStep } from '../plan/plan.ts'
import type { ImageBase } from '../profile/base.ts'
import type { Kitchen } from './kitchen.ts'
import { bakeLayer } from './layer.ts'

/** A base image whose root file system is mounted read-only; unmounted when it is disposed. */
export interface MountedBase extends AsyncDisposable {
  image: BaseImage
  /** Where its root is mounted. */
  path: string
  /** Name to version of the packages that are installed on it. */
  installed: Map<string, string>
}

/** Mount the root of a locked base. Throws `IMAGE_INVALID` for what is not an intact Pi image, and as `openBase`. */
export const mountBase = async (kitchen: Kitchen, base: ImageBase, locked: LockedBase): Promise<MountedBase> => {
  const { blobs, tools, scratch, emit, signal } = kitchen
  const { path } = await openBase(base, locked, { blobs, tools: async () => tools, emit, signal })
  const image = await inspectBase(path)
  const mount: Mount = await mountImage(tools, image.path, image.root, join(scratch, 'base-image'))
  return {
    image,
    path: mount.path,
    installed: await installedPackages(mount.path),
    [Symbol.asyncDispose]: () => mount[Symbol.asyncDispose](),
  }
}

/**
 * Bake the layer that stands on a mounted base image: the files of its boot partition, where the running Pi has them
 * mounted, so that stages and the kernel's scripts find and change them. Returns the sealed layer's folder.
 */
export const bakeImageBase = (
  kitchen: Kitchen,
  options: { step: KeyedStep; scaffold: string; base: MountedBase },
): Promise<string> => {
  const { step, scaffold, base } = options
  const packages = { before: base.installed, added: new Map<string, string>() }
  return bakeLayer(kitchen, { step, lower: [scaffold, base.path], debs: [], packages }, (root) =>
    extractBoot({
      tools: kitchen.tools,
      image: base.image,
      destination: join(root.layer, 'upper/boot/firmware'),
      signal: kitchen.signal,
    }),
  )
}
