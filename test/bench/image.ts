import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../../builder/host/command.ts'
import { mountImage } from '../../builder/host/mount.ts'
import type { Tools } from '../../builder/host/sandbox.ts'
import { inspectBase } from '../../builder/image/open.ts'
import { writeRoot } from '../../builder/image/root.ts'
import { medianOf } from './measure.ts'
import type { Row } from './result.ts'

const runs = 3

const sync = async (path: string): Promise<void> => {
  await using file = await open(path, 'r+')
  await file.sync()
}

/** The image step against a plain copy of its result, and against `mke2fs -d` of the same files. Needs a mount namespace. */
export const benchImage = async (options: {
  tools: Tools
  image: string
  /** What the whole image step takes, in milliseconds. */
  stepMs: number
  scratch: string
}): Promise<Row[]> => {
  const { tools, image, stepMs, scratch } = options
  const copy = join(scratch, 'copy.img')
  const clear = (): Promise<void> => rm(copy, { force: true })
  const copyMs = await medianOf(
    runs,
    async () => {
      await runCommand(['cp', '--sparse=always', '--reflink=never', image, copy])
      await sync(copy)
    },
    clear,
  )
  await clear()
  const base = await inspectBase(image)
  await using mounted = await mountImage(tools, image, base.root, join(scratch, 'root'))
  const { ext4 } = base.root
  const formatMs = await medianOf(
    runs,
    () =>
      writeRoot({
        tools,
        image: copy,
        offsetBytes: 0,
        size: {
          sizeBytes: base.root.sizeBytes,
          inodes: Math.ceil(ext4.blocks / ext4.blocksPerGroup) * ext4.inodesPerGroup,
        },
        root: mounted.path,
        excluded: ['/lost+found'],
        uuid: ext4.uuid,
        label: ext4.label,
        features: ext4.features ?? [],
        hashSeed: ext4.uuid,
        timeSeconds: 0,
      }),
    async () => {
      await clear()
      await using file = await open(copy, 'w')
      await file.truncate(base.root.sizeBytes)
    },
  )
  await clear()
  const what = 'Image step: mirror, lint, both file systems, digests, on disk'
  const row = { what, measured: stepMs, unit: 'ms', ratio: 'slower' } as const
  return [
    { ...row, id: 'image-copy', reference: { what: '`cp --sparse=always` of the image, synced', value: copyMs } },
    { ...row, id: 'image-mke2fs', reference: { what: '`tar | mke2fs -d` of the root alone', value: formatMs } },
  ]
}
