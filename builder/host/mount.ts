import { mkdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from './command.ts'
import { type Tools, treeCommand } from './sandbox.ts'

/** Something mounted in pibake's own mount namespace (see `offline.ts`); unmounted when it is disposed, or with pibake. */
export interface Mount extends AsyncDisposable {
  path: string
}

const mount = async (tools: Tools, path: string, args: readonly string[], cwd = '/'): Promise<Mount> => {
  await mkdir(path, { recursive: true })
  // The newer mount calls limit each option to 256 bytes.
  const env = { LIBMOUNT_FORCE_MOUNT2: 'always' }
  await runCommand(treeCommand(tools, 'usr/bin/mount', [...args, path]), { cwd, env })
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await runCommand(treeCommand(tools, 'usr/bin/umount', [path]))
    },
  }
}

/** Mount two or more folders, named from the bottom up, as one read-only view at `path`. */
export const mountLayers = async (tools: Tools, layers: readonly string[], path: string): Promise<Mount> => {
  // Short links stand for the layers: an overlay's options must fit into one page, and its separators into no name.
  const links = `${path}.layers`
  await rm(links, { recursive: true, force: true })
  await mkdir(links, { recursive: true })
  for (const [index, layer] of layers.entries()) await symlink(layer, join(links, String(index)))
  const lower = layers.map((_, index) => String(index)).reverse()
  const options = `ro,redirect_dir=nofollow,index=off,metacopy=off,lowerdir=${lower.join(':')}`
  return mount(tools, path, ['-t', 'overlay', 'pibake', '-o', options], links)
}

/** Mount the host's binfmt_misc, to read what is registered there; nothing is ever written to it. */
export const mountRegistrations = (tools: Tools, path: string): Promise<Mount> =>
  mount(tools, path, ['-t', 'binfmt_misc', '-o', 'ro', 'binfmt_misc'])

/** Loop-mount the file system that begins at `offsetBytes` of a file, read-only; the loop device ends with the mount. */
export const mountImage = (
  tools: Tools,
  image: string,
  place: { offsetBytes: number; sizeBytes: number },
  path: string,
): Promise<Mount> =>
  mount(tools, path, ['-o', `loop,ro,noload,offset=${place.offsetBytes},sizelimit=${place.sizeBytes}`, image])

/**
 * Loop-mount the ext4 file system that begins at `offsetBytes` of a drive, for writing. The kernel need not have read the
 * drive's new partition table for that; nothing on it is run or taken for a device.
 */
export const mountDrive = (
  tools: Tools,
  drive: string,
  place: { offsetBytes: number; sizeBytes: number },
  path: string,
): Promise<Mount> => {
  const options = `loop,nodev,nosuid,noexec,noatime,offset=${place.offsetBytes},sizelimit=${place.sizeBytes}`
  return mount(tools, path, ['-t', 'ext4', '-o', options, drive])
}
