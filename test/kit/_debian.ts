import { chmod, link, mkdir, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { openBlobs } from '../../builder/cache/blobs.ts'
import { exists } from '../../builder/core/file.ts'
import { essentialClosure } from '../../builder/deb/closure.ts'
import { parseStanzas } from '../../builder/deb/deb822.ts'
import { debFileName, fileNameOf, scanPackages, writeFlatRepository } from '../../builder/deb/repository.ts'
import { openDebianSource } from '../../builder/fetch/debian-source.ts'
import { fetchIndexes, readPackageTable, timeOf } from '../../builder/fetch/indexes.ts'
import { bringDebs } from '../../builder/fetch/locked-debs.ts'
import type { Mirrors } from '../../builder/fetch/mirror.ts'
import type { PackageTable } from '../../builder/fetch/package-table.ts'
import { resolveSteps } from '../../builder/fetch/resolve.ts'
import { architectures, hostArchitecture } from '../../builder/host/architecture.ts'
import { bootstrapRoot, installPackages } from '../../builder/root/apt.ts'
import { type TargetRoot, writeScaffold } from '../../builder/root/root.ts'
import { tools } from '../support/tools.ts'

export type DebianSuite = 'bookworm' | 'trixie'

/**
 * What `debootstrap --variant=minbase` chooses: packages of the priority `required`, and apt (its function `work_out_debs`);
 * in bookworm also the package that stands for a /usr which is merged from the start.
 */
const minimalPackages = (table: PackageTable, suite: DebianSuite): string[] => {
  const required = [...table.byName.values()].flatMap(([newest]) =>
    newest?.priority === 'required' ? [newest.name] : [],
  )
  return [...required, 'apt', ...(suite === 'bookworm' ? ['usr-is-merged'] : [])]
}

const emit = (): void => undefined

/**
 * Make a fresh Debian of this machine's architecture in `folder`, as small as debootstrap makes one. `cache` keeps what
 * was downloaded. Returns its root.
 */
export const makeDebian = async (
  folder: string,
  { suite, mirrors, cache }: { suite: DebianSuite; mirrors: Mirrors; cache: string },
): Promise<string> => {
  const architecture = hostArchitecture()
  const source = openDebianSource({ blobs: openBlobs(cache), emit })
  const indexes = await fetchIndexes({
    ...{ source, mirrors, suite, architecture, now: new Date(), acceptExpired: true, emit },
  })
  const table = await readPackageTable(indexes, source.blobPath)
  const names = minimalPackages(table, suite)
  const [layer, inside] = [join(folder, 'layer'), join(folder, 'inside')]
  const [farm, scaffold] = [join(folder, 'farm'), join(folder, 'scaffold')]
  await mkdir(join(layer, 'upper'), { recursive: true, mode: 0o755 })
  await mkdir(join(inside, 'native'), { recursive: true })
  await mkdir(farm)
  const { steps } = await resolveSteps({
    ...{ tools, indexes, table, blobPath: source.blobPath, architecture, scratch: folder, emit, extras: [] },
    steps: [{ name: 'minimal', packages: names, essential: true }],
  })
  const debs = steps.flatMap((step) => step.debs)
  const lost = await bringDebs(debs, { source, mirrors: async () => mirrors, time: timeOf(indexes) })
  if (lost.length > 0) throw new Error(`the mirror lacks ${lost.map(({ name }) => name).join(', ')}`)
  for (const deb of debs) await link(source.blobPath(deb.sha256), join(farm, debFileName(deb)))
  const stanzas = [...parseStanzas(await scanPackages(tools, farm))]
  const described = stanzas.map((stanza) => ({ source: join(farm, fileNameOf(stanza)), stanza }))
  await writeFlatRepository(join(inside, 'repo'), described)
  await writeScaffold(scaffold, false)
  const root: TargetRoot = {
    ...{ tools, native: tools, architecture, lower: [scaffold], dispatcher: undefined },
    ...{ layer, inside, timeSeconds: 0 },
  }
  await bootstrapRoot(root, essentialClosure(stanzas).map(fileNameOf), {})
  await installPackages(root, names, {})
  const path = join(layer, 'upper')
  // So far these were in the scaffold below it.
  for (const name of ['dev', 'proc', 'run', 'sys', 'tmp']) await mkdir(join(path, name), { recursive: true })
  await chmod(join(path, 'tmp'), 0o1777)
  const linkerFolder = dirname(architectures[architecture].linker)
  if (!(await exists(join(path, linkerFolder)))) await symlink(`usr${linkerFolder}`, join(path, linkerFolder))
  return path
}
