import { formatBytes } from '../core/size.ts'
import type { ImageSummary } from '../inspect/summary.ts'
import { html, type Markup } from './html.ts'
import { renderLongTable, renderTable } from './table.ts'

const size = { title: 'Size', isNumber: true }

/** What is in the image: partitions, stages, services. */
export const renderContent = ({
  partitions,
  stages,
  services,
}: ImageSummary): Markup => html`<section aria-labelledby="content"><h2 id="content">What is in it</h2>
${renderTable(
  {
    caption: 'Stages',
    columns: [
      { title: 'Stage' },
      { title: 'Version' },
      { title: 'What it brings' },
      { title: 'Packages', isNumber: true },
      size,
    ],
  },
  stages.map(({ name, version, summary, packages, sizeBytes }) => [
    name,
    version,
    summary,
    packages,
    formatBytes(sizeBytes),
  ]),
)}
${renderTable(
  {
    caption: 'Partitions',
    columns: [
      { title: 'Number' },
      { title: 'File system' },
      { title: 'Label' },
      { title: 'Id' },
      { title: 'Used', isNumber: true },
      size,
    ],
  },
  partitions.map(({ number, fileSystem, label, id, usedBytes, sizeBytes }) => [
    number,
    fileSystem ?? 'unknown',
    label,
    html`<code>${id}</code>`,
    fileSystem === undefined ? '' : formatBytes(usedBytes),
    formatBytes(sizeBytes),
  ]),
)}
${renderLongTable(
  {
    caption: `${services.length} services start by themselves`,
    id: 'services',
    columns: [{ title: 'Unit' }, { title: 'What it is' }, { title: 'Stage' }],
  },
  services.map(({ name, description, stage }) => [html`<code>${name}</code>`, description, stage]),
)}
</section>`

/** How many packages have each licence; one with several counts for each. */
export const countLicences = (
  items: readonly { licences: readonly string[] }[],
): { licence: string; packages: number }[] => {
  const counts = new Map<string, number>()
  for (const { licences } of items) {
    for (const licence of new Set(licences)) counts.set(licence, (counts.get(licence) ?? 0) + 1)
  }
  return Array.from(counts, ([licence, packages]) => ({ licence, packages })).sort((a, b) => b.packages - a.packages)
}

/** Every package with its version and licences, and which licences there are. */
export const renderPackages = ({ packages, npm }: ImageSummary): Markup => {
  const all = [...packages, ...npm]
  const licences = countLicences(all)
  const silent = all.filter((item) => item.licences.length === 0).length
  return html`<section aria-labelledby="packages"><h2 id="packages">Packages and licences</h2>
<p>As the packages' own copyright files and manifests name them${silent === 0 ? '' : `; ${silent} name none`}. The full texts are on the image, below <code>/usr/share/doc</code>.</p>
${renderLongTable(
  {
    caption: `${packages.length} Debian packages`,
    id: 'debian',
    columns: [{ title: 'Package' }, { title: 'Version' }, { title: 'Stage' }, size, { title: 'Licences' }],
  },
  packages.map(({ name, version, stage, sizeBytes, licences: own }) => [
    name,
    version,
    stage,
    formatBytes(sizeBytes),
    own.join(', '),
  ]),
)}
${renderLongTable(
  {
    caption: `${npm.length} npm packages`,
    id: 'npm',
    columns: [{ title: 'Package' }, { title: 'Version' }, { title: 'Stage' }, { title: 'Licences' }],
  },
  npm.map(({ name, version, stage, licences: own }) => [name, version, stage, own.join(', ')]),
)}
${renderLongTable(
  {
    caption: `${licences.length} licences`,
    id: 'licences',
    columns: [{ title: 'Licence' }, { title: 'Packages', isNumber: true }],
  },
  licences.map(({ licence, packages: number }) => [licence, number]),
)}
</section>`
}
