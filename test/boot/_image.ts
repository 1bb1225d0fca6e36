import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { runCommand } from '../../builder/host/command.ts'
import { checkout } from '../support/tools.ts'

/** Why images cannot be booted here, or undefined. */
export const noImage: string | undefined =
  process.getuid?.() === 0 || process.env.PIBAKE_IMAGE !== undefined
    ? undefined
    : 'baking the image to boot needs root; PIBAKE_IMAGE names one that is there'

/** The image of `pub` of this checkout, baked now unless it is up to date; PIBAKE_IMAGE names another one. */
export const bakedImage = async (): Promise<string> => {
  if (process.env.PIBAKE_IMAGE !== undefined) return process.env.PIBAKE_IMAGE
  const env = Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value ? [[name, value]] : [])))
  await runCommand([join(checkout, 'pibake'), '--profile', 'pub'], { env })
  return join(checkout, 'images', 'pub.img')
}

/** Command lines of running processes that have `words` in them. */
export const processesWith = async (words: string): Promise<string[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
  const lines = await Promise.all(
    pids.map(async (pid) => {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      return line.includes(words) ? [`${pid} ${line.replaceAll('\0', ' ')}`] : []
    }),
  )
  return lines.flat()
}

/** A folder for a boot, with a name that its processes have in their command lines; removed when the test ends. */
export const bootFolder = async (t: ExecutionContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'pibake-boot-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}
