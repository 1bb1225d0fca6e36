import { lstat, mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import type { Blobs } from '../cache/blobs.ts'
import { derive } from '../cache/derived.ts'
import { hashJson, type Sha256 } from '../core/digest.ts'
import { errnoOf } from '../core/error.ts'
import { runTool, type Tools } from '../host/sandbox.ts'
import type { LockedDeb } from '../lock/schema.ts'

const script = join(import.meta.dirname, 'copyrights.sh')

/** Of one package: the text of its copyright file, or the name of the package whose documentation it shares. */
type Copyright = { text: string } | { like: string }

const readOne = async (folder: string, name: string): Promise<Copyright | undefined> => {
  const doc = join(folder, 'usr/share/doc')
  const own = join(doc, name)
  const status = await lstat(own).catch(() => undefined)
  if (status?.isSymbolicLink()) return { like: basename(await readlink(own)) }
  // Some packages keep theirs under a name that is like their own.
  const others = await readdir(doc).catch(() => [])
  for (const candidate of [name, ...others.sort()]) {
    try {
      return { text: await readFile(join(doc, candidate, 'copyright'), 'utf8') }
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error
    }
  }
  return undefined
}

export interface CopyrightSource {
  blobs: Blobs
  tools: Tools
  /** Folder for intermediate files. */
  scratch: string
  signal: AbortSignal
}

/** The copyright of each package of one step by name; read once, for taking it out of the packages takes seconds. */
const readStep = async (debs: readonly LockedDeb[], source: CopyrightSource): Promise<Map<string, Copyright>> => {
  const { blobs, tools, scratch, signal } = source
  const key = hashJson(['copyrights 1', ...debs.map(({ name, sha256 }) => `${name} ${sha256}`).sort()])
  const options = { key, label: 'the copyright files of the locked packages', signal }
  const file = await derive(blobs.folder, options, async (path) => {
    const labelled = debs.map((deb) => ({ ...deb, label: `${deb.name} ${deb.version}` }))
    await blobs.verifyBlobs(labelled, { signal })
    const folder = join(scratch, `copyrights-${key}`)
    await mkdir(folder)
    const input = debs.map(({ sha256 }) => `${sha256} ${blobs.blobPath(sha256)}\n`).join('')
    await runTool(tools, ['bash', script, folder, String(availableParallelism())], {
      readOnly: [script, ...debs.map(({ sha256 }) => blobs.blobPath(sha256))],
      writable: [folder],
      input,
      signal,
    })
    const found: [string, Copyright][] = []
    for (const { name, sha256 } of debs) {
      const copyright = await readOne(join(folder, sha256), name)
      if (copyright) found.push([name, copyright])
    }
    await rm(folder, { recursive: true })
    await writeFile(path, JSON.stringify(found))
  })
  return new Map(JSON.parse(await readFile(file.path, 'utf8')) as [string, Copyright][])
}

/**
 * The text of each package's copyright file, by the package's digest; a package that links to another's documentation
 * gets that one's. Packages without one are left out. Throws `MISSING_OFFLINE`, `CACHE_CORRUPT`.
 */
export const readCopyrights = async (
  steps: readonly (readonly LockedDeb[])[],
  source: CopyrightSource,
): Promise<ReadonlyMap<Sha256, string>> => {
  const byName = new Map<string, Copyright>()
  for (const debs of steps.filter(({ length }) => length > 0)) {
    for (const [name, copyright] of await readStep(debs, source)) byName.set(name, copyright)
  }
  const textOf = (name: string, steps = 3): string | undefined => {
    const copyright = byName.get(name)
    if (copyright === undefined || steps === 0) return undefined
    return 'text' in copyright ? copyright.text : textOf(copyright.like, steps - 1)
  }
  const texts = new Map<Sha256, string>()
  for (const { name, sha256 } of steps.flat()) {
    const text = textOf(name)
    if (text !== undefined) texts.set(sha256, text)
  }
  return texts
}
