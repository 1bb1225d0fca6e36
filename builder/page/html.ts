/** Text that is HTML or SVG already; everything else is escaped when it is put into a page. */
export interface Markup {
  readonly markup: string
}

type Value = string | number | Markup | readonly Markup[] | undefined

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text as it may stand between tags and in quoted attributes. */
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (sign) => entities[sign] ?? sign)

const toText = (value: Value): string => {
  if (value === undefined) return ''
  if (typeof value === 'string') return escapeHtml(value)
  if (typeof value === 'number') return String(value)
  return 'markup' in value ? value.markup : value.map(({ markup }) => markup).join('\n')
}

/** Markup from a template; what is put in is escaped unless it is markup itself. */
export const html = (strings: TemplateStringsArray, ...values: readonly Value[]): Markup => ({
  markup: String.raw({ raw: strings }, ...values.map(toText)),
})

/** Text that is known to be markup, such as a style sheet of pibake's own. */
export const asMarkup = (markup: string): Markup => ({ markup })

/** A number of an SVG: at most one decimal. */
export const round = (value: number): number => Math.round(value * 10) / 10
