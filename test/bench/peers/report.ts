import { escapeXml, formatRatio, formatValue } from '../format.ts'
import { type Row, ratioOf } from '../result.ts'
import { isBehind } from './rows.ts'

/** The rows of one measure, and what pibake has in it. */
interface Group {
  what: string
  measured: number
  unit: Row['unit']
  rows: readonly Row[]
}

const groupsOf = (rows: readonly Row[]): Group[] =>
  [...Map.groupBy(rows, ({ what }) => what)].flatMap(([what, of]) => {
    const [first] = of
    return first ? [{ what, measured: first.measured, unit: first.unit, rows: of }] : []
  })

const titlesOf = (rows: readonly Row[]): string[] => [
  ...new Set(rows.flatMap(({ reference }) => reference?.what ?? [])),
]

const cellOf = ({ rows }: Group, title: string): string => {
  const row = rows.find(({ reference }) => reference?.what === title)
  if (!row?.reference) return ''
  const behind = isBehind(ratioOf(row) ?? 1)
  return `${formatValue(row.reference.value, row.unit)} (${behind ? `**${formatRatio(row)}**` : formatRatio(row)})`
}

/** The section of the page: a column for each peer, and for each row that pibake does not lead the reason. */
export const renderPeers = (rows: readonly Row[]): string => {
  if (rows.length === 0) return ''
  const titles = titlesOf(rows)
  const heading = ['', 'pibake', ...titles]
  const lines = groupsOf(rows).map((group) => [
    group.what,
    formatValue(group.measured, group.unit),
    ...titles.map((title) => cellOf(group, title)),
  ])
  const notes = rows.flatMap(({ what, reference, note }) => (note ? [`- ${what}, ${reference?.what}: ${note}`] : []))
  return `
## The same image by others

![Bars of pibake and its peers](bench-peers.svg)

| ${heading.join(' | ')} |
|${heading.map(() => '---').join('|')}|
${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}

In brackets: how many times as much as pibake; below 1 pibake takes more${notes.length === 0 ? ', which is nowhere so.' : ':'}

${notes.join('\n')}
`
}

const colours = ['#6c7a89', '#4a7fb5', '#8a6fb0', '#5a9a6a']

/** A group of bars for each measure, pibake's first; widths are relative to the longest of the group. */
export const renderPeerPlot = (rows: readonly Row[]): string => {
  const titles = titlesOf(rows)
  const [width, left, bar, gap] = [860, 20, 18, 34]
  const full = width - 2 * left - 210
  let top = 8
  const drawn = groupsOf(rows).map(({ what, measured, unit, rows: of }) => {
    const bars = [
      { label: 'pibake', value: measured, colour: '#c51a4a' },
      ...of.flatMap(({ reference }) =>
        reference
          ? [
              {
                label: reference.what,
                value: reference.value,
                colour: colours[titles.indexOf(reference.what)] ?? '#999',
              },
            ]
          : [],
      ),
    ]
    const most = Math.max(...bars.map(({ value }) => value))
    const lines = [`<text x="${left}" y="${top + 14}" font-weight="bold" fill="#111">${escapeXml(what)}</text>`]
    for (const [index, { label, value, colour }] of bars.entries()) {
      const y = top + 20 + index * (bar + 2)
      const length = Math.max(2, (value / most) * full)
      lines.push(
        `<rect x="${left}" y="${y}" width="${length.toFixed(1)}" height="${bar}" rx="3" fill="${colour}"/>`,
        `<text x="${(left + length + 8).toFixed(1)}" y="${y + 13}" fill="#333">${escapeXml(`${label}: ${formatValue(value, unit)}`)}</text>`,
      )
    }
    top += 20 + bars.length * (bar + 2) + gap - 20
    return lines.join('\n')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${top}" fill="#fff"/>
${drawn.join('\n')}
</svg>
`
}
