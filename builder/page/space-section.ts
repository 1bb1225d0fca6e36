import { formatBytes } from '../core/size.ts'
import type { ImageSummary } from '../inspect/summary.ts'
import { html, type Markup } from './html.ts'
import { renderTable } from './table.ts'
import { renderTreemap, type TreemapGroup } from './treemap-svg.ts'

/** The groups of the treemap: each stage with its packages, then what no package brought. */
export const spaceGroups = (summary: ImageSummary): TreemapGroup[] => {
  const boot = summary.partitions.find(({ fileSystem }) => fileSystem === 'fat')
  return [
    ...summary.stages.map(({ name }) => ({
      name,
      items: summary.packages.filter(({ stage }) => stage === name).map(({ name, sizeBytes }) => ({ name, sizeBytes })),
    })),
    {
      name: 'not from a package',
      items: [
        ...summary.others.map(({ path, sizeBytes }) => ({ name: path, sizeBytes })),
        { name: 'the file system itself', sizeBytes: summary.overheadBytes },
      ],
    },
    ...(boot ? [{ name: 'boot partition', items: [{ name: boot.label, sizeBytes: boot.usedBytes }] }] : []),
  ]
}

export const renderSpace = (summary: ImageSummary): Markup => {
  const groups = spaceGroups(summary)
  const usedBytes = groups.flatMap(({ items }) => items).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const shown = summary.others.slice(0, 12)
  return html`<section aria-labelledby="space"><h2 id="space">Where the space went</h2>
<p>${formatBytes(usedBytes)} in use, in whole blocks. Every package with its size is in the list at the end.</p>
<div class="scroll" role="region" tabindex="0" aria-label="Map of the space">${renderTreemap(groups)}</div>
${renderTable(
  {
    caption: 'Files that no package brought',
    columns: [{ title: 'Folder' }, { title: 'Files', isNumber: true }, { title: 'Size', isNumber: true }],
  },
  shown.map(({ path, files, sizeBytes }) => [html`<code>${path}</code>`, files, formatBytes(sizeBytes)]),
)}
</section>`
}
