import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hashFile } from '../../builder/core/digest.ts'
import { readControl } from '../../builder/deb/archive.ts'
import type { IncomingDeb } from '../../builder/repository/find-debs.ts'
import { makeDeb } from '../support/make-deb.ts'

/** The control file of a package. */
export const control = (name: string, version: string, architecture = 'all', more: readonly string[] = []): string =>
  [
    `Package: ${name}`,
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    'Maintainer: The mill <mill@example.org>',
    ...more,
    `Description: the package ${name}`,
    '',
  ].join('\n')

/** Write a package whose content is `text`. */
export const writeDeb = async (path: string, text: string, fields: Parameters<typeof control>): Promise<string> => {
  await mkdir(dirname(path), { recursive: true })
  return makeDeb(path, { control: { control: control(...fields) }, data: { 'usr/share/text': text } })
}

/** A package as it comes to a repository. */
export const incoming = async (path: string, from: string, builtSeconds = 0): Promise<IncomingDeb> => ({
  source: path,
  stanza: await readControl(path),
  sizeBytes: (await stat(path)).size,
  sha256: await hashFile(path),
  from,
  builtSeconds,
})
