import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatBytes } from '../core/size.ts'
import { renderContent, renderPackages } from './content-section.ts'
import { formatMoment, renderChanges, renderChecks, renderTime } from './history-section.ts'
import { asMarkup, html, type Markup } from './html.ts'
import { embedData, type ReportData } from './report-data.ts'
import { renderSpace } from './space-section.ts'

const readOwn = (name: string): Markup => asMarkup(readFileSync(join(import.meta.dirname, name), 'utf8').trimEnd())

/** Nothing is loaded from anywhere. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

const renderHead = ({ summary, bake }: ReportData): Markup => {
  const { system } = summary
  const kernels = system.kernels.length === 0 ? '' : `, kernel ${system.kernels.join(', ')}`
  const baked =
    bake &&
    html`<p class="quiet">Baked from the profile ${bake.profile} at ${formatMoment(bake.bakedAt)}<br>sha256 <code>${bake.sha256}</code></p>`
  return html`<h1>${summary.image}</h1>
<p>${formatBytes(summary.sizeBytes)}: ${system.name} for ${system.architecture}${kernels}</p>
${baked}`
}

/**
 * The report of an image as one HTML page that needs nothing else: no network, no script for what it says. The data it
 * was made from is in it, for `extractData`.
 */
export const renderReport = (data: ReportData): string => {
  const { summary, bake, tests } = data
  const isOurs = bake !== undefined
  const links: [anchor: string, title: string][] = [
    ['content', 'Content'],
    ['space', 'Space'],
    ...(isOurs
      ? ([
          ['time', 'Time'],
          ['changes', 'Changes'],
        ] satisfies [string, string][])
      : []),
    ...(isOurs || tests.length > 0 ? ([['checks', 'Checks']] satisfies [string, string][]) : []),
    ['packages', 'Packages and licences'],
  ]
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${summary.image}: pibake report</title>
<style>
${readOwn('report.css')}
</style>
</head>
<body>
<header>
${renderHead(data)}
<nav aria-label="Sections"><ul>
${links.map(([anchor, title]) => html`<li><a href="#${anchor}">${title}</a></li>`)}
</ul></nav>
</header>
<main>
${renderContent(summary)}
${renderSpace(summary)}
${bake && renderTime(bake)}
${isOurs ? renderChanges(data.changes) : undefined}
${isOurs || tests.length > 0 ? renderChecks(data) : undefined}
${renderPackages(summary)}
</main>
${asMarkup(embedData(data))}
<script>
${readOwn('report.js')}
</script>
</body>
</html>
`
  return page.markup
}
