import { join } from 'node:path'
import { kitPaths } from './manifest.ts'
import { type Kit, openKit } from './open.ts'
import type { SourceFile } from './source-file.ts'
import type { KitPlan } from './write.ts'

/** The files of a kit that describe it, in the order in which they are written elsewhere: its signature comes last. */
const textsOf = ({ texts }: Kit): Map<string, string> =>
  new Map([kitPaths.manifest, kitPaths.sums, kitPaths.signature].map((path) => [path, texts.get(path) ?? '']))

/**
 * What to write for a copy of a kit: the same files with the same signature. Its files are read while they are copied,
 * and checked then. Throws `KIT_INVALID` for one that is not finished or whose signature does not hold.
 */
export const planCopy = async (from: string): Promise<KitPlan & { kit: Kit }> => {
  const kit = await openKit(from)
  const files = kit.manifest.files.map(
    (file): SourceFile => ({ ...file, source: join(from, file.path), label: file.path }),
  )
  return { kit, files, texts: textsOf(kit) }
}
