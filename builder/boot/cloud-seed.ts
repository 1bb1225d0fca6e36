import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runTool, type Tools } from '../host/sandbox.ts'

/** What a provider would say to cloud-init about a machine: the text of its user-data, perhaps of its network-config. */
export interface CloudSeed {
  userData: string
  networkConfig?: string
}

/** FAT of 1 MiB: the documents are small. */
const sizeKiB = 1024

/**
 * Write the disk that cloud-init's datasource NoCloud looks for, a file system labelled `CIDATA` (cloud-init's
 * documentation, "NoCloud"), into `folder`. Returns its path.
 */
export const writeSeed = async (
  { userData, networkConfig }: CloudSeed,
  options: { tools: Tools; folder: string; signal?: AbortSignal },
): Promise<string> => {
  const { tools, folder, signal } = options
  const documents = join(folder, 'seed')
  const disk = join(folder, 'seed.img')
  const files = {
    'user-data': userData,
    'meta-data': 'instance-id: pibake-seed\n',
    ...(networkConfig === undefined ? {} : { 'network-config': networkConfig }),
  }
  await mkdir(documents)
  for (const [name, text] of Object.entries(files)) await writeFile(join(documents, name), text)
  const access = { writable: [folder], env: { MTOOLS_SKIP_CHECK: '1' }, ...(signal ? { signal } : {}) }
  await runTool(tools, ['mkfs.vfat', '-C', '-n', 'CIDATA', disk, String(sizeKiB)], access)
  await runTool(tools, ['mcopy', '-i', disk, ...Object.keys(files).map((name) => join(documents, name)), '::'], access)
  return disk
}
