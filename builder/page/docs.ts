import { readFileSync } from 'node:fs'
import { lstat, readdir, readFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { errnoOf } from '../core/error.ts'
import { asMarkup, html, type Markup } from './html.ts'
import { renderMarkdown } from './markdown.ts'

/** A file of the documentation: a page made of Markdown, or a picture as it lies in the checkout. */
export type DocsFile = { path: string; text: string } | { path: string; source: string }

const styleSheet = readFileSync(join(import.meta.dirname, 'docs.css'), 'utf8').trimEnd()

/** Nothing is loaded but pictures that lie beside the pages. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' file: data:"

const picture = /\.(?:png|jpg|svg)$/

const listPlain = async (root: string, folder: string): Promise<string[]> => {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => posix.join(folder, name))
}

const listFolders = async (root: string, folder: string): Promise<string[]> => {
  const entries = await readdir(join(root, folder), { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => posix.join(folder, name))
}

/** The Markdown pages of a checkout and the pictures beside them, as paths below it; no links to elsewhere are followed. */
const findSources = async (root: string): Promise<string[]> => {
  const found = [
    ...(await listPlain(root, '.')).filter((path) => path.endsWith('.md')),
    ...(await listPlain(root, 'docs')).filter((path) => path.endsWith('.md') || picture.test(path)),
  ]
  for (const folder of await listFolders(root, 'stages')) {
    const page = `${folder}/README.md`
    const status = await lstat(join(root, page)).catch(() => undefined)
    if (status?.isFile()) found.push(page)
  }
  return found.sort()
}

const pagePath = (source: string): string => source.replace(/\.md$/, '.html')

/** Where a link on the page `source` leads, when the pages lie as they do in the checkout. */
const resolveOn =
  (source: string, sources: ReadonlySet<string>) =>
  (target: string): string | undefined => {
    if (/^(?:https?|mailto):/.test(target)) return target
    if (/^[a-z][a-z0-9+.-]*:|^\/\//i.test(target)) return undefined
    const [path = '', anchor] = target.split('#')
    const behind = anchor === undefined ? '' : `#${anchor}`
    if (path === '') return behind
    const meant = posix.normalize(posix.join(posix.dirname(source), decodeURI(path)))
    return sources.has(meant) ? `${pagePath(path)}${behind}` : undefined
  }

interface Page {
  source: string
  title: string
  markup: Markup
}

/** The way back, relative so that it holds on a stick as well. */
const upFrom = (source: string): string => '../'.repeat(source.split('/').length - 1)

const renderPage = ({ source, title, markup }: Page, home: string | undefined): string => {
  const up = upFrom(source)
  const links: [href: string, text: string][] = [
    ...(home === undefined ? [] : ([[`${up}${home}`, 'Front page']] satisfies [string, string][])),
    [`${up}index.html`, 'All pages'],
    [`${up}README.html`, 'Begin'],
  ]
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>
${asMarkup(styleSheet)}
</style>
</head>
<body>
<nav aria-label="Documentation"><ul>
${links.map(([href, text]) => html`<li><a href="${href}">${text}</a></li>`)}
</ul></nav>
<main>
${markup}
</main>
</body>
</html>
`.markup
}

const renderList = (pages: readonly Page[]): Markup => {
  const item = ({ source, title }: Page): Markup => html`<li><a href="${pagePath(source)}">${title}</a></li>`
  const isStage = ({ source }: Page): boolean => source.startsWith('stages/')
  return html`<h1>Documentation of pibake</h1>
<ul class="pages">
${pages.filter((page) => !isStage(page)).map(item)}
</ul>
<h2>Stages</h2>
<ul class="pages">
${pages.filter(isStage).map(item)}
</ul>`
}

const byTitle = (a: Page, b: Page): number => a.title.localeCompare(b.title, 'en')

/**
 * The documentation of the checkout `root` as HTML pages that link to each other relatively: they may be served, or lie
 * on a stick. Paths are those of the Markdown pages with `.html`, and `index.html` lists them all. `home` is the path,
 * from the folder that they are put into, of a page to lead back to.
 */
export const renderDocs = async (root: string, options: { home?: string } = {}): Promise<DocsFile[]> => {
  const sources = await findSources(root)
  const known = new Set(sources)
  const files: DocsFile[] = []
  const pages: Page[] = []
  for (const source of sources) {
    if (!source.endsWith('.md')) {
      files.push({ path: source, source: join(root, source) })
      continue
    }
    const { title, markup } = renderMarkdown(await readFile(join(root, source), 'utf8'), resolveOn(source, known))
    pages.push({ source, title: title === '' ? source : title, markup })
  }
  const list = { source: 'index.md', title: 'Documentation of pibake', markup: renderList(pages.toSorted(byTitle)) }
  for (const page of [...pages, list]) {
    files.push({ path: pagePath(page.source), text: renderPage(page, options.home) })
  }
  return files
}
