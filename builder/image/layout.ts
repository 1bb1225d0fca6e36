import { PibakeError } from '../core/error.ts'
import { clusterSectors } from './boot.ts'
import { align } from './measure.ts'
import type { BaseImage } from './open.ts'
import { rootFeatures } from './root.ts'
import { sectorBytes } from './table.ts'

/** Where the first partition begins, as on Raspberry Pi OS since 2025-03. */
const bootStartBytes = 8 << 20

/** What a GUID partition table and its partitions are called; `rootType` is the GUID of the type of the root's. */
export interface GptIdentity {
  diskGuid: string
  bootGuid: string
  rootGuid: string
  rootType: string
}

/** Where an image's partitions are and what they are called. */
export interface DiskLayout {
  /** 8 hex digits. */
  diskId: string
  /** A GUID partition table with these names in place of an MBR. */
  gpt?: GptIdentity
  boot: {
    startBytes: number
    sizeBytes: number
    /** At most 11 characters. */
    label: string
    /** 8 hex digits. */
    volumeId: string
    /** Undefined when the partition is too small for FAT32. */
    clusterSectors: number | undefined
  }
  root: { startBytes: number; label: string; uuid: string; features: readonly string[] }
}

/** The layout of an image that is made from nothing. */
export const newLayout = (options: {
  diskId: string
  gpt?: GptIdentity
  rootUuid: string
  bootMiB: number
}): DiskLayout => {
  const { diskId, gpt, rootUuid, bootMiB } = options
  const sizeBytes = bootMiB * 2 ** 20
  return {
    diskId,
    ...(gpt ? { gpt } : {}),
    boot: {
      startBytes: bootStartBytes,
      sizeBytes,
      label: 'bootfs',
      volumeId: diskId,
      clusterSectors: clusterSectors(sizeBytes),
    },
    root: { startBytes: align(bootStartBytes + sizeBytes), label: 'rootfs', uuid: rootUuid, features: rootFeatures },
  }
}

/**
 * The layout of an image that is written upon a base: everything as it is there, so that whatever names a partition goes
 * on to find it, but a boot partition of `bootMiB` at least. Throws `IMAGE_INVALID` for what pibake cannot write.
 */
export const baseLayout = ({ path, diskId, boot, root }: BaseImage, { bootMiB }: { bootMiB: number }): DiskLayout => {
  const refuse = (problem: string): PibakeError =>
    new PibakeError('IMAGE_INVALID', `\`${path}\` ${problem}, which pibake can read but not write.`, {
      hint: 'Name an image with an MBR partition table and an ext4 of ordinary features, as Raspberry Pi OS has.',
    })
  if (!/^[0-9a-f]{8}$/.test(diskId)) throw refuse('has a GPT partition table')
  if (root.number < boot.number || root.offsetBytes < boot.offsetBytes) throw refuse('has its root partition first')
  const { features, uuid } = root.ext4
  if (!features) throw refuse('has an ext4 with features of a kind that is not known')
  const sizeBytes = Math.max(boot.sizeBytes, bootMiB * 2 ** 20)
  return {
    diskId,
    boot: {
      startBytes: boot.offsetBytes,
      sizeBytes,
      label: boot.fat.label,
      volumeId: boot.fat.volumeId.replace('-', '').toLowerCase(),
      clusterSectors: boot.fat.clusterBytes / sectorBytes,
    },
    root: {
      startBytes: Math.max(root.offsetBytes, align(boot.offsetBytes + sizeBytes)),
      label: root.ext4.label,
      uuid,
      features,
    },
  }
}
