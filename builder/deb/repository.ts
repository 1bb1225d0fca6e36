import { link, mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { runTool, type Tools } from '../host/sandbox.ts'
import { formatStanzas, parseStanzas, type Stanza } from './deb822.ts'

/** Name of a package's file as apt's own archive folder has it; the epoch's colon is escaped. */
export const debFileName = ({
  name,
  version,
  architecture,
}: {
  name: string
  version: string
  architecture: string
}): string => `${name}_${version.replaceAll(':', '%3a')}_${architecture}.deb`

/**
 * Read the control stanzas of all packages in a folder, with `Filename`, `Size` and `SHA256`, as apt-ftparchive(1)
 * writes them.
 */
export const scanPackages = async (tools: Tools, folder: string, signal?: AbortSignal): Promise<string> => {
  const off = ['MD5', 'SHA1', 'SHA512'].flatMap((hash) => ['-o', `APT::FTPArchive::${hash}=false`])
  const { stdout } = await runTool(tools, ['apt-ftparchive', ...off, 'packages', '.'], {
    readOnly: [folder],
    cwd: folder,
    ...(signal ? { signal } : {}),
  })
  return `${stdout}\n`
}

/** A package to put into a repository: where its file is, and its control stanza. */
export interface RepositoryDeb {
  source: string
  stanza: Stanza
}

/** Put packages and their index into one flat folder, as `deb [trusted=yes] file:… ./` reads it. Files are linked. */
export const writeFlatRepository = async (folder: string, debs: readonly RepositoryDeb[]): Promise<void> => {
  await mkdir(folder, { recursive: true })
  const stanzas: Stanza[] = []
  for (const { source, stanza } of debs) {
    const name = fileNameOf(stanza)
    await link(source, join(folder, name))
    stanzas.push({ ...stanza, Filename: `./${name}` })
  }
  await writeFile(join(folder, 'Packages'), formatStanzas(stanzas))
}

/** Name of the file of the package that a stanza is of. */
export const fileNameOf = ({ Package = '', Version = '', Architecture = '' }: Stanza): string =>
  debFileName({ name: Package, version: Version, architecture: Architecture })

/** Read back the stanzas of a package index by file name. */
export const stanzasByFile = (packages: string): Map<string, Stanza> => {
  const found = new Map<string, Stanza>()
  for (const stanza of parseStanzas(packages)) if (stanza.Filename) found.set(basename(stanza.Filename), stanza)
  return found
}
