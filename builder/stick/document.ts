import { posix } from 'node:path'
import { Marked, type Tokens } from 'marked'
import { asMarkup, html } from '../page/html.ts'

/** Where the pages of a checkout come to lie, by their path in it: Markdown files, and what they show. */
export type DocumentPaths = ReadonlyMap<string, string>

/** The anchor that GitHub gives a heading: lower case, hyphens for spaces, other signs dropped. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-')

/**
 * Where a link of the page `from` leads on the stick, as it stands in the page; undefined for a file that is not on it.
 * Addresses and anchors stay as they are.
 */
export const linkOn = (from: string, href: string, paths: DocumentPaths): string | undefined => {
  if (/^(?:[a-z][a-z0-9+.-]*:|#)/i.test(href)) return href
  const [path = '', anchor] = href.split('#')
  const target = paths.get(posix.normalize(posix.join(posix.dirname(from), path)))
  if (target === undefined) return undefined
  const here = posix.dirname(paths.get(from) ?? from)
  return posix.relative(here, target) + (anchor === undefined ? '' : `#${anchor}`)
}

/** Colours of the reader's own choosing, lines of a length that can be read, tables and code that scroll by themselves. */
const style = asMarkup(
  [
    ':root{color-scheme:light dark}',
    'body{font:16px/1.55 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}',
    'pre,table{display:block;overflow-x:auto}',
    'pre{padding:.7rem;border:1px solid #8886;border-radius:.3rem}',
    'code{font:.9em ui-monospace,monospace}',
    'table{border-collapse:collapse}',
    'th,td{border:1px solid #8886;padding:.25rem .5rem;text-align:left;vertical-align:top}',
    'img{max-width:100%;height:auto}',
  ].join('\n'),
)

/** Nothing is loaded but pictures that lie beside the page. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' file:"

const titleOf = (text: string): string => /^# (.+)$/m.exec(text)?.[1]?.replaceAll('`', '') ?? 'pibake'

/**
 * A page of the documentation as HTML that needs nothing but its pictures; links to what is not on the stick become plain
 * text. `path` is that of the Markdown file in the checkout.
 */
export const renderDocument = (path: string, text: string, paths: DocumentPaths): string => {
  const marked = new Marked({
    gfm: true,
    renderer: {
      heading({ tokens, depth }: Tokens.Heading): string {
        const inside = this.parser.parseInline(tokens)
        const words = this.parser.parseInline(tokens, this.parser.textRenderer)
        return `<h${depth} id="${anchorOf(words)}">${inside}</h${depth}>\n`
      },
      link({ href, tokens }: Tokens.Link): string {
        const inside = this.parser.parseInline(tokens)
        const target = linkOn(path, href, paths)
        return target === undefined ? inside : html`<a href="${target}">${asMarkup(inside)}</a>`.markup
      },
      image({ href, text: alternative }: Tokens.Image): string {
        const target = linkOn(path, href, paths)
        return target === undefined ? alternative : html`<img src="${target}" alt="${alternative}">`.markup
      },
    },
  })
  const body = marked.parse(text, { async: false })
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${titleOf(text)}</title>
<style>${style}</style>
</head>
<body>
${asMarkup(body)}</body>
</html>
`.markup
}
