import { formatBytes, formatDuration } from '../../builder/core/size.ts'
import { machineLines, timeLine } from './machine.ts'
import { isWithin, type PartResult, type Row, ratioOf } from './result.ts'

const formatValue = (value: number, unit: Row['unit']): string =>
  unit === 'ms' ? formatDuration(value) : formatBytes(value)

const formatRatio = (row: Row): string => {
  const ratio = ratioOf(row)
  if (ratio === undefined) return ''
  return `${ratio >= 9.95 ? ratio.toFixed(0) : ratio.toFixed(1)}×${row.ratio === 'faster' ? ' faster' : ''}`
}

const formatLimit = (row: Row): string => {
  if (row.limit === undefined) return ''
  const verdict = isWithin(row) ? '✓' : '✗'
  if (ratioOf(row) === undefined) return `at most ${formatValue(row.limit, row.unit)} ${verdict}`
  return `at ${row.ratio === 'faster' ? 'least' : 'most'} ${row.limit}× ${verdict}`
}

const headings = ['What', 'pibake', 'Held against', 'Ratio', 'Wanted']

const cellsOf = (row: Row): string[] => [
  row.what,
  formatValue(row.measured, row.unit),
  row.reference ? `${row.reference.what}: ${formatValue(row.reference.value, row.unit)}` : '',
  formatRatio(row),
  formatLimit(row),
]

/** The rows as a table of aligned columns, for a terminal. */
export const renderText = (rows: readonly Row[]): string => {
  const lines = [headings, ...rows.map((row) => cellsOf(row).map((cell) => cell.replaceAll('`', '')))]
  const widths = headings.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)))
  return lines
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The parts of each run, which have its time and load in common. */
const runsOf = (results: readonly PartResult[]): string[] => {
  const runs = Map.groupBy(results, ({ machine }) => timeLine(machine))
  return [...runs].map(([when, of]) => `Measured ${of.map(({ part }) => part).join(', ')}: ${when}`)
}

/** The page for `docs/`, whole, from results of one machine. */
export const renderPage = (results: readonly PartResult[]): string => `# Measurements

Written by \`npm run bench\`; ratios carry over to other machines, seconds do not. Raw numbers: [bench.json](bench.json).

![Bars of pibake against what it is held against](bench.svg)

| ${headings.join(' | ')} |
|${headings.map(() => '---').join('|')}|
${results.flatMap(({ rows }) => rows.map((row) => `| ${cellsOf(row).join(' | ')} |`)).join('\n')}

## The machine

${[...results.slice(0, 1).flatMap(({ machine }) => machineLines(machine)), ...runsOf(results)]
  .map((line) => `- ${line}`)
  .join('\n')}

## What is measured

- **Native twins**: two fixed sets, each installed by one run of apt into the sealed base: once with native twins, once
  with every program of the target under qemu-user. The first, \`test/bench/twins.yaml\`, is the services of a community
  node, Python among them. The second is what the stages of \`pub\` bring, with the stages' own packages and the extra
  packages of its mirror; it was the only one until it turned out to be half unpacking, which both do alike, so the
  wanted ratio is asked of the first. Processor time is user and system time of all that was started.
- **Whole bake**: a checkout without layers, stage packages or package index, with all packages in its cache. Peak memory
  is the largest sum of proportional set sizes of all processes, sampled five times a second; cached files are not in it.
- **Second run**: median of five. **Edited line**: median of three; the last stage, the end of the bake and the image are
  made anew.
- **Image step**: median of three, from the merged layers to an image that is on disk with its digests. It is held
  against a copy of the finished file, and against writing the same root file system without anything around it.
- **Boot verdict**: until systemd says that the boot is over, against a boot to the same point with \`-cpu max\`, the
  image's own kernel command line and a cached disk.

## Run it

\`\`\`
sudo npm run bench                    # all, about 15 minutes on two cores
sudo npm run bench -- --only twins    # some: twins, bake, community, image, boot
\`\`\`

It needs what \`pibake fetch\` brings for \`pub\` and \`community\`, and leaves nothing behind but \`docs/bench.md\`,
\`docs/bench.json\` and \`docs/bench.svg\`. With \`--only\` the other rows stay as they were. Close everything else that
uses the processor or the disk.
`

const escapeXml = (text: string): string => text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`)

/** A bar for each side of each row that has two, longest first within a row; widths are relative to that row. */
export const renderPlot = (rows: readonly Row[]): string => {
  const paired = rows.flatMap((row) => (row.reference ? [{ row, reference: row.reference }] : []))
  const [width, left, rowHeight, bar] = [860, 20, 84, 18]
  const full = width - 2 * left - 90
  const groups = paired.map(({ row, reference }, index) => {
    const top = 12 + index * rowHeight
    const most = Math.max(row.measured, reference.value)
    const line = (value: number, label: string, y: number, colour: string): string => {
      const length = Math.max(2, (value / most) * full)
      const inside = length > full * 0.6
      const place = inside ? `x="${left + 8}" fill="#fff"` : `x="${left + length + 8}" fill="#333"`
      return [
        `<rect x="${left}" y="${y}" width="${length.toFixed(1)}" height="${bar}" rx="3" fill="${colour}"/>`,
        `<text ${place} y="${y + 13}">${escapeXml(`${label}: ${formatValue(value, row.unit)}`)}</text>`,
      ].join('')
    }
    const title = escapeXml(`${row.what.replaceAll('`', '')} (${formatRatio(row)})`)
    return [
      `<text x="${left}" y="${top + 12}" font-weight="bold" fill="#111">${title}</text>`,
      line(row.measured, 'pibake', top + 20, '#c51a4a'),
      line(reference.value, reference.what.replaceAll('`', ''), top + 42, '#6c7a89'),
    ].join('\n')
  })
  const height = 12 + paired.length * rowHeight
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="#fff"/>
${groups.join('\n')}
</svg>
`
}
