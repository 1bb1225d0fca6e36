import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { runCommand } from '../../builder/host/command.ts'
import { checkout } from '../support/tools.ts'

/** The image that the environment names for a profile: PIBAKE_IMAGE for `pub`, PIBAKE_MATRIX_IMAGE for `matrix` … */
const namedImage = (profile: string): string | undefined =>
  process.env[profile === 'pub' ? 'PIBAKE_IMAGE' : `PIBAKE_${profile.toUpperCase()}_IMAGE`]

/** Why images of that profile cannot be booted here, or undefined. */
export const whyNoImage = (profile: string): string | undefined =>
  process.getuid?.() === 0 || namedImage(profile) !== undefined
    ? undefined
    : 'baking the image to boot needs root; PIBAKE_IMAGE names one that is there'

export const noImage: string | undefined = whyNoImage('pub')

/** The image of a profile of this checkout, baked now unless it is up to date; the environment may name another one. */
export const bakedImage = async (profile = 'pub'): Promise<string> => {
  const named = namedImage(profile)
  if (named !== undefined) return named
  const env = Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value ? [[name, value]] : [])))
  await runCommand([join(checkout, 'pibake'), '--profile', profile], { env })
  return join(checkout, 'images', `${profile}.img`)
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
