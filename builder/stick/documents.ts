import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hashFile } from '../core/digest.ts'
import type { Project } from '../core/project.ts'
import { renderDocument } from './document.ts'
import type { SourceFile } from './source-file.ts'

/** What pages show. */
const pictures = /\.(?:png|svg)$/

const namesIn = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

/** Where the documents of a checkout come to lie on a stick: the README first, as its `index.html`. */
const findDocuments = async (project: Project): Promise<Map<string, string>> => {
  const paths = new Map<string, string>()
  const isThere = (await namesIn(project.root)).includes('README.md')
  if (isThere) paths.set('README.md', 'index.html')
  for (const name of (await namesIn(join(project.root, 'docs'))).sort()) {
    if (name.endsWith('.md')) paths.set(`docs/${name}`, `docs/${name.slice(0, -3)}.html`)
    else if (pictures.test(name)) paths.set(`docs/${name}`, `docs/${name}`)
  }
  const stages = (await readdir(project.stages, { withFileTypes: true })).filter((entry) => entry.isDirectory())
  for (const { name } of stages.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if ((await namesIn(join(project.stages, name))).includes('README.md')) {
      paths.set(`stages/${name}/README.md`, `docs/stages/${name}.html`)
    }
  }
  return paths
}

/** The documents of a checkout as pages for a stick, and the pictures in them. */
export const renderDocuments = async (
  project: Project,
): Promise<{ pages: { path: string; bytes: string }[]; files: SourceFile[] }> => {
  const paths = await findDocuments(project)
  const pages: { path: string; bytes: string }[] = []
  const files: SourceFile[] = []
  for (const [from, path] of paths) {
    const source = join(project.root, from)
    if (path.endsWith('.html')) {
      pages.push({ path, bytes: renderDocument(from, await readFile(source, 'utf8'), paths) })
    } else {
      files.push({ path, source, sizeBytes: (await stat(source)).size, sha256: await hashFile(source), label: from })
    }
  }
  return { pages, files }
}
