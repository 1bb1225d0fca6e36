import { stat } from 'node:fs/promises'
import { hashFile } from '../core/digest.ts'
import type { Project } from '../core/project.ts'
import { renderDocs } from '../page/docs.ts'
import type { SourceFile } from './source-file.ts'

/** The documents of a checkout as pages for a stick, and the pictures in them; `index.html` lists them. */
export const renderDocuments = async (
  project: Project,
): Promise<{ pages: { path: string; bytes: string }[]; files: SourceFile[] }> => {
  const pages: { path: string; bytes: string }[] = []
  const files: SourceFile[] = []
  for (const file of await renderDocs(project.root)) {
    if ('text' in file) pages.push({ path: file.path, bytes: file.text })
    else {
      const { path, source } = file
      files.push({ path, source, sizeBytes: (await stat(source)).size, sha256: await hashFile(source), label: path })
    }
  }
  return { pages, files }
}
