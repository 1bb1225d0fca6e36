import { html, type Markup } from './html.ts'

export interface Column {
  title: string
  /** Set to the right, as sizes and times are. */
  isNumber?: boolean
}

type Cell = string | number | Markup | undefined

const cellOf = (tag: 'th' | 'td', { isNumber }: Column, cell: Cell): Markup => {
  const attributes = isNumber ? html` class="number"` : html``
  return tag === 'th' ? html`<th scope="col"${attributes}>${cell}</th>` : html`<td${attributes}>${cell}</td>`
}

/**
 * A table with a caption, in a box that scrolls sideways where the screen is narrow. The first cell of each row heads it.
 * Nothing where there are no rows.
 */
export const renderTable = (
  options: { caption: string; columns: readonly Column[]; id?: string },
  rows: readonly (readonly Cell[])[],
): Markup => {
  const { caption, columns, id } = options
  if (rows.length === 0) return html``
  const body = rows.map(
    ([first, ...rest]) =>
      html`<tr><th scope="row">${first}</th>${rest.map((cell, index) => cellOf('td', columns[index + 1] ?? { title: '' }, cell))}</tr>`,
  )
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${caption}"><table${id === undefined ? '' : html` id="${id}"`}><caption>${caption}</caption>
<thead><tr>${columns.map((column) => cellOf('th', column, column.title))}</tr></thead>
<tbody>
${body}
</tbody></table></div>`
}

/** A long table behind its title, with a field that narrows it down where scripts run. */
export const renderLongTable = (
  options: { caption: string; columns: readonly Column[]; id: string },
  rows: readonly (readonly Cell[])[],
): Markup => {
  if (rows.length === 0) return html``
  const field = html`<label data-filters="${options.id}" hidden>Show only <input type="search"></label>`
  return html`<details><summary>${options.caption}</summary>${field}
${renderTable(options, rows)}</details>`
}
