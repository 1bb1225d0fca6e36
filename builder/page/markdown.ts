import { Marked, type Tokens } from 'marked'
import { asMarkup, html, type Markup } from './html.ts'

/** Where a link or a picture of a page leads, as it is written there; undefined takes the link away and leaves its text. */
export type Resolve = (target: string) => string | undefined

/** A page of Markdown as HTML. */
export interface RenderedPage {
  /** Its first heading. */
  title: string
  markup: Markup
}

/** The anchor that GitHub gives a heading: lower case, hyphens for spaces, other signs dropped. */
export const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-')

/** The one tag that pages use where Markdown has no words for a width. */
const imageTag = /^<img src="([^"<>\s]+)"[^<>]*? alt="([^"<>]*)"[^<>]*>\s*/

/** Addresses that a page may lead to; anything else, such as `javascript:`, is no link. */
const safeAddress = /^(?:https?:|mailto:|(?![a-z][a-z0-9+.-]*:|\/\/))/i

/** Browsers drop blanks and control characters of an address before they look at it (URL Standard, 4.4). */
const isSafe = (address: string): boolean => safeAddress.test(address.replaceAll(/[\p{Cc}\s]/gu, ''))

const follow = (target: string, resolve: Resolve): string | undefined => {
  const resolved = isSafe(target) ? resolve(target) : undefined
  return resolved !== undefined && isSafe(resolved) ? resolved : undefined
}

const renderImage = (source: string, text: string, resolve: Resolve): string => {
  const target = follow(source, resolve)
  return target === undefined ? html`${text}`.markup : html`<img src="${target}" alt="${text}">`.markup
}

/** Markup that a page holds is shown as text, but for pictures with a width. */
const renderTags = (text: string, resolve: Resolve): string => {
  const [tag, source, alternative] = imageTag.exec(text) ?? []
  if (tag === undefined || source === undefined || alternative === undefined) return html`${text}`.markup
  return renderImage(source, alternative, resolve) + (tag === text ? '' : renderTags(text.slice(tag.length), resolve))
}

/**
 * A page of Markdown (GitHub's) as HTML that is safe whoever wrote the page: no markup of it is taken over, and links lead
 * to pages, addresses of the web and of mail. Headings get the anchors that GitHub gives them; `resolve` says where links
 * and pictures lead.
 */
export const renderMarkdown = (text: string, resolve: Resolve): RenderedPage => {
  const seen = new Map<string, number>()
  let title: string | undefined
  const marked = new Marked({
    gfm: true,
    renderer: {
      html: ({ text: tags }: Tokens.HTML | Tokens.Tag): string => renderTags(tags, resolve),
      heading({ tokens, depth }: Tokens.Heading): string {
        const words = plainText(this.parser.parseInline(tokens, this.parser.textRenderer))
        title ??= words
        const anchor = anchorOf(words)
        const count = seen.get(anchor) ?? 0
        seen.set(anchor, count + 1)
        const id = count === 0 ? anchor : `${anchor}-${count}`
        return `${html`<h${depth} id="${id}">${asMarkup(this.parser.parseInline(tokens))}</h${depth}>`.markup}\n`
      },
      link({ href, tokens }: Tokens.Link): string {
        const inside = asMarkup(this.parser.parseInline(tokens))
        const target = follow(href, resolve)
        if (target === undefined) return inside.markup
        const isElsewhere = /^[a-z]+:/i.test(target)
        return isElsewhere
          ? html`<a href="${target}" rel="noreferrer">${inside}</a>`.markup
          : html`<a href="${target}">${inside}</a>`.markup
      },
      image: ({ href, text: alternative }: Tokens.Image): string => renderImage(href, alternative, resolve),
    },
  })
  const markup = asMarkup(marked.parse(text, { async: false }))
  return { title: title ?? '', markup }
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }

/** Text that was escaped for HTML, as it was. */
const plainText = (escaped: string): string =>
  escaped.replaceAll(/&(amp|lt|gt|quot|#39);/g, (_, name) => entities[name] ?? '')
