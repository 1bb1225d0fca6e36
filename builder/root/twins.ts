import { copyFile, link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Architecture, hostArchitecture } from '../host/architecture.ts'
import type { Tools } from '../host/sandbox.ts'
import { readTreePackages } from '../host/tree.ts'
import { dpkgPrograms, twinPrograms } from './twin-programs.ts'

/** The target's packages as one step sees them. */
export interface TargetPackages {
  /** Name to version of what is installed before the step. */
  before: ReadonlyMap<string, string>
  /** Name to version of what the step installs. */
  added: ReadonlyMap<string, string>
}

/** The version of a package all through a step; undefined when the step changes it, or nothing has it. */
const steadyVersion = ({ before, added }: TargetPackages, name: string): string | undefined => {
  const old = before.get(name)
  const next = added.get(name)
  return old === undefined || next === undefined || old === next ? (next ?? old) : undefined
}

/** A version without the mark of a rebuild for one architecture (`+b1`): the same source, the same program. */
const sourceVersion = (version: string | undefined): string | undefined => version?.replace(/\+b\d+$/, '')

/** Marks, beside the twins, that the target's own full perl library may be stood in for; see `inside.sh`. */
const perlMark = '.perl-library'

/**
 * Replace the architecture that a dpkg program reports. The word stands as a NUL-terminated string of its own; a build
 * in which it does not stand there exactly once gets no twin (undefined).
 */
export const patchArchitecture = (program: Buffer, from: Architecture, to: Architecture): Buffer | undefined => {
  const word = Buffer.from(`\0${from}\0`, 'latin1')
  const at = program.indexOf(word)
  if (at < 0 || program.indexOf(word, at + 1) >= 0) return undefined
  const patched = Buffer.from(program)
  patched.write(to, at + 1, 'latin1')
  return patched
}

/**
 * Lay out the native twins for one step below `destination`, at the paths their originals have in the target. A program
 * has a twin only while the package that owns it has the same version in the native tree and in the target, but for
 * rebuilds, so that both builds come from one source. Returns the number of twins.
 */
export const layTwins = async (options: {
  native: Tools
  architecture: Architecture
  target: TargetPackages
  destination: string
}): Promise<number> => {
  const { native, architecture, target, destination } = options
  const packages = await readTreePackages(native.root)
  const same = (name: string): boolean =>
    packages[name] !== undefined && sourceVersion(packages[name].version) === sourceVersion(steadyVersion(target, name))
  let count = 0
  const place = async (path: string, put: (from: string, to: string) => Promise<void>): Promise<void> => {
    const from = join(native.root, path)
    if (!(await stat(from).catch(() => undefined))) return
    const to = join(destination, path)
    await mkdir(dirname(to), { recursive: true })
    await put(from, to)
    count += 1
  }
  await rm(destination, { recursive: true, force: true })
  await mkdir(destination, { recursive: true })
  const library = Object.keys(packages).find((name) => name.startsWith('libperl5.'))
  const perlArrives = library !== undefined && target.added.has(library) && !target.before.has(library)
  if (library !== undefined && target.before.has(library) && same(library))
    await writeFile(join(destination, perlMark), '')
  for (const [name, paths] of Object.entries(twinPrograms)) {
    // Half of a perl library that is just being unpacked misleads a perl that sees the other half: qemu for that step.
    if (name === 'perl-base' && perlArrives) continue
    if (same(name)) for (const path of paths) await place(path, linkOrCopy)
  }
  if (same('dpkg')) {
    for (const path of dpkgPrograms) {
      await place(path, async (from, to) => {
        const program = await readFile(from)
        const twin = patchArchitecture(program, hostArchitecture(), architecture)
        if (twin) await writeFile(to, twin, { mode: 0o755 })
      })
    }
  }
  return count
}

const linkOrCopy = async (from: string, to: string): Promise<void> => {
  await link(from, to).catch(() => copyFile(from, to))
}
