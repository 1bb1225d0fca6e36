import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../core/error.ts'
import { parseStanzas } from './deb822.ts'

const fields = new Set(['Package', 'Version', 'Status'])

/** Name to version of the packages that dpkg has installed in a root; empty for a root without dpkg. */
export const installedPackages = async (root: string): Promise<Map<string, string>> => {
  const text = await readFile(join(root, 'var/lib/dpkg/status'), 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return ''
    throw error
  })
  const installed = new Map<string, string>()
  for (const { Package, Version, Status } of parseStanzas(text, { fields })) {
    if (Package && Version && Status === 'install ok installed') installed.set(Package, Version)
  }
  return installed
}
