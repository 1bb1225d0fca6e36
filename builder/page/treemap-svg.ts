import { formatBytes } from '../core/size.ts'
import { html, type Markup, round } from './html.ts'
import { type Box, squarify } from './treemap.ts'

export interface TreemapItem {
  name: string
  sizeBytes: number
}

/** Items that belong together, in one colour. */
export interface TreemapGroup {
  name: string
  items: readonly TreemapItem[]
}

const [width, height] = [960, 540]
/** Strip with the name of a group, above its items. */
const headPx = 18
const gapPx = 2
/** Cells below this many square pixels are put together: nobody could point at them. */
const leastArea = 30
/** About the width of a letter at 11 pixels. */
const letterPx = 6.3

/** Colours of groups; white text on each has a contrast of more than 4.5 to 1. */
export const colours: readonly string[] = [
  '#4a5568',
  '#c51a4a',
  '#1f6f8b',
  '#2f6f3e',
  '#7a4fa3',
  '#96560a',
  '#2b5aa8',
  '#8a3d6b',
  '#56690f',
  '#00695c',
  '#6d4c41',
  '#a03c1e',
]

const colourOf = (index: number): string => colours[index % colours.length] ?? ''

const sizeOf = (items: readonly TreemapItem[]): number => items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)

const bySize = <T extends { sizeBytes: number }>(items: readonly T[]): T[] =>
  items.filter(({ sizeBytes }) => sizeBytes > 0).sort((a, b) => b.sizeBytes - a.sizeBytes)

/** Put together what would be too small to see, when `scale` is bytes a square pixel. */
const mergeSmall = (items: readonly TreemapItem[], scale: number): TreemapItem[] => {
  const large = items.filter(({ sizeBytes }) => sizeBytes / scale >= leastArea)
  const small = items.slice(large.length)
  if (small.length <= 1) return [...items]
  return bySize([...large, { name: `${small.length} smaller`, sizeBytes: sizeOf(small) }])
}

const shrink = ({ x, y, width, height }: Box, by: number): Box => ({
  x: x + by / 2,
  y: y + by / 2,
  width: Math.max(0, width - by),
  height: Math.max(0, height - by),
})

const shorten = (text: string, widthPx: number): string => {
  const letters = Math.floor((widthPx - 8) / letterPx)
  if (text.length <= letters) return text
  return letters < 3 ? '' : `${text.slice(0, letters - 1)}…`
}

const label = ({ x, y, width, height }: Box, text: string): Markup | undefined => {
  const shown = height < 14 ? '' : shorten(text, width)
  return shown === '' ? undefined : html`<text x="${round(x + 4)}" y="${round(y + 12)}">${shown}</text>`
}

const rect = ({ x, y, width, height }: Box, attributes: Markup): Markup =>
  html`<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" ${attributes}/>`

const drawItem = (item: TreemapItem, cell: Box, group: string): Markup => {
  const box = shrink(cell, 1)
  const size = formatBytes(item.sizeBytes)
  const second =
    box.height >= 28
      ? html`<text x="${round(box.x + 4)}" y="${round(box.y + 25)}">${shorten(size, box.width)}</text>`
      : undefined
  return html`<g><title>${item.name}: ${size} (${group})</title>${rect(box, html`class="cell"`)}${label(box, item.name)}${second}</g>`
}

const drawGroup = (group: TreemapGroup & { sizeBytes: number; colour: string }, cell: Box): Markup => {
  const box = shrink(cell, gapPx)
  const hasHead = box.height > 2 * headPx && box.width > 40
  const inner = hasHead ? { ...box, y: box.y + headPx, height: box.height - headPx } : box
  const items = mergeSmall(bySize(group.items), group.sizeBytes / Math.max(1, inner.width * inner.height))
  const cells = squarify(
    items.map(({ sizeBytes }) => sizeBytes),
    inner,
  )
  const title = `${group.name}: ${formatBytes(group.sizeBytes)}`
  const head = hasHead
    ? html`<text class="head" x="${round(box.x + 4)}" y="${round(box.y + 13)}">${shorten(title, box.width)}</text>`
    : undefined
  const drawn = items.map((item, index) => drawItem(item, cells[index] ?? box, group.name))
  return html`<g fill="${group.colour}"><g><title>${title}</title>${rect(box, html`class="group"`)}${head}</g>${drawn}</g>`
}

/**
 * Where space went, as a squarified treemap in SVG: groups by size, their items inside. What it shows is also said by its
 * label, as far as the largest groups go; a table has to say the rest.
 */
export const renderTreemap = (groups: readonly TreemapGroup[]): Markup => {
  const sized = bySize(
    groups.map((group, index) => ({ ...group, sizeBytes: sizeOf(group.items), colour: colourOf(index) })),
  )
  const cells = squarify(
    sized.map(({ sizeBytes }) => sizeBytes),
    { x: 0, y: 0, width, height },
  )
  const largest = sized.slice(0, 6).map(({ name, sizeBytes }) => `${name} ${formatBytes(sizeBytes)}`)
  return html`<svg class="treemap" viewBox="0 0 ${width} ${height}" role="img" aria-label="Where the space went: ${largest.join(', ')}">
${sized.map((group, index) => drawGroup(group, cells[index] ?? { x: 0, y: 0, width: 0, height: 0 }))}
</svg>`
}
