import { mkdir } from 'node:fs/promises'
import { runTool, type Tools } from '../host/sandbox.ts'
import { type Ext4, readExt4 } from './ext4.ts'
import { type Fat, readFat } from './fat.ts'
import {
  fatTypes,
  invalidImage,
  linuxType,
  openImage,
  type Partition,
  partuuidOf,
  readPartitionTable,
  sectorBytes,
} from './table.ts'

/** Where a partition lies in an image, and the name it has on a running Pi. */
export interface PartitionPlace {
  number: number
  offsetBytes: number
  sizeBytes: number
  /** As the kernel has it, see `partuuidOf`. */
  partuuid: string
}

/** A Raspberry Pi image: its boot and root partitions. */
export interface BaseImage {
  path: string
  diskId: string
  boot: PartitionPlace & { fat: Fat }
  root: PartitionPlace & { ext4: Ext4 }
}

const placeOf = (diskId: string, partition: Partition): PartitionPlace => ({
  number: partition.number,
  offsetBytes: partition.startSector * sectorBytes,
  sizeBytes: partition.sectors * sectorBytes,
  partuuid: partuuidOf(diskId, partition),
})

const onlyPartitions = (path: string, partitions: readonly Partition[]): [boot: Partition, root: Partition] => {
  if (partitions.length !== 2) {
    const count = partitions.length === 1 ? 'one partition' : `${partitions.length} partitions`
    throw invalidImage(path, `is no Raspberry Pi image: it has ${count}, not a boot and a root partition`)
  }
  const boot = partitions.find(({ type }) => fatTypes.has(type))
  const root = partitions.find(({ type }) => type === linuxType)
  if (!boot || !root) throw invalidImage(path, 'is no Raspberry Pi image: it lacks a FAT and a Linux partition')
  return [boot, root]
}

/**
 * Look into an image without mounting it: where its FAT32 boot and ext4 root partitions are, their labels and ids.
 * Throws IMAGE_INVALID for anything that is not an intact Pi image of just these two, with a cleanly unmounted root.
 */
export const inspectBase = async (path: string): Promise<BaseImage> => {
  const { diskId, partitions } = await readPartitionTable(path)
  const [bootEntry, rootEntry] = onlyPartitions(path, partitions)
  await using file = await openImage(path)
  const boot = placeOf(diskId, bootEntry)
  const root = placeOf(diskId, rootEntry)
  const fat = await readFat(file, boot.offsetBytes)
  if (!fat) throw invalidImage(path, `has no FAT32 file system in partition ${boot.number}`)
  const ext4 = await readExt4(file, root.offsetBytes)
  if (!ext4) throw invalidImage(path, `has no ext4 file system in partition ${root.number}`)
  if (fat.sizeBytes > boot.sizeBytes || ext4.blocks * ext4.blockBytes > root.sizeBytes) {
    throw invalidImage(path, 'is damaged: a file system is larger than its partition')
  }
  if (!ext4.clean) throw invalidImage(path, 'has a root file system that was not cleanly unmounted')
  return { path, diskId, boot: { ...boot, fat }, root: { ...root, ext4 } }
}

/** mtools' name for the FAT in an image: `FILE@@BYTES`. */
export const mtoolsDrive = (image: string, offsetBytes: number): string => `${image}@@${offsetBytes}`

/**
 * Copy the content of the boot partition to `destination` (made when missing), with the modification times it has.
 * Needs no FAT driver in the kernel.
 */
export const extractBoot = async (options: {
  tools: Tools
  image: BaseImage
  destination: string
  signal?: AbortSignal
}): Promise<void> => {
  const { tools, image, destination, signal } = options
  await mkdir(destination, { recursive: true })
  await runTool(
    tools,
    ['mcopy', '-i', mtoolsDrive(image.path, image.boot.offsetBytes), '-s', '-Q', '-m', '-n', '::', destination],
    { readOnly: [image.path], writable: [destination], env: { MTOOLS_SKIP_CHECK: '1' }, ...(signal ? { signal } : {}) },
  )
}
