import { formatBytes, formatDuration } from '../core/size.ts'
import type { VersionChange } from '../inspect/changes.ts'
import { html, type Markup } from './html.ts'
import type { ReportData, ReportedBake, ReportedCheck, ReportedTest } from './report-data.ts'
import { renderTable } from './table.ts'
import { renderWaterfall } from './waterfall-svg.ts'

/** A moment for people: `2026-11-21 20:25 UTC`. */
export const formatMoment = (iso: string): string => `${iso.slice(0, 16).replace('T', ' ')} UTC`

/** Where the time of the bake went. */
export const renderTime = ({ steps }: ReportedBake): Markup => {
  const totalMs = Math.max(0, ...steps.map(({ startMs, durationMs }) => startMs + durationMs))
  const cached = steps.filter(({ outcome }) => outcome === 'cached')
  const savedMs = cached.reduce((sum, { lastMs }) => sum + (lastMs ?? 0), 0)
  const saved = savedMs === 0 ? '' : `, which took ${formatDuration(savedMs)} when they ran`
  return html`<section aria-labelledby="time"><h2 id="time">Where the time went</h2>
<p>${formatDuration(totalMs)} in all. ${cached.length} of ${steps.length} steps were taken from the cache${saved}.</p>
<div class="scroll" role="region" tabindex="0" aria-label="Steps of the bake">${renderWaterfall(steps)}</div>
</section>`
}

const growth = (bytes: number): string => `${bytes < 0 ? '−' : '+'}${formatBytes(Math.abs(bytes))}`

const renderVersions = (caption: string, changes: readonly VersionChange[]): Markup =>
  renderTable(
    {
      caption,
      columns: [{ title: 'Name' }, { title: 'Before' }, { title: 'Now' }, { title: 'Size', isNumber: true }],
    },
    changes.map(({ name, before, after, sizeBefore, sizeAfter }) => [
      name,
      before ?? '(new)',
      after ?? '(gone)',
      sizeBefore === undefined || sizeAfter === undefined ? '' : growth(sizeAfter - sizeBefore),
    ]),
  )

/** What changed since the image that was there before. */
export const renderChanges = (changes: ReportData['changes']): Markup => {
  const body = (): Markup => {
    if (!changes) return html`<p>There was no image before this one, or none with a report.</p>`
    const { since, stages, packages, npm, usedBefore, usedAfter } = changes
    const nothing = stages.length + packages.length + npm.length === 0
    return html`<p>Against the image of ${formatMoment(since)}: ${growth(usedAfter - usedBefore)} in use${nothing ? '; the same versions of everything' : ''}.</p>
${renderVersions('Stages', stages)}
${renderVersions('Debian packages', packages)}
${renderVersions('npm packages', npm)}`
  }
  return html`<section aria-labelledby="changes"><h2 id="changes">What changed since the last image</h2>
${body()}
</section>`
}

const outcomes = {
  passed: html`<span class="good">passed</span>`,
  skipped: html`skipped`,
  failed: html`<span class="bad">failed</span>`,
  timeout: html`<span class="bad">not in time</span>`,
} as const

const describeCheck = ({ title, output }: ReportedCheck): Markup =>
  output === undefined || output.trim() === '' ? html`${title}` : html`${title}<pre>${output.trimEnd()}</pre>`

const renderTest = ({ board, testedAt, bootMs, checks }: ReportedTest): Markup => {
  const passed = checks.filter(({ outcome }) => outcome === 'passed').length
  return renderTable(
    {
      caption: `On ${board}, ${formatMoment(testedAt)}: ${passed} of ${checks.length} checks passed; booted in ${formatDuration(bootMs)}`,
      columns: [{ title: 'Stage' }, { title: 'Check' }, { title: 'Result' }, { title: 'Time', isNumber: true }],
    },
    checks.map((check) => [
      check.stage,
      describeCheck(check),
      outcomes[check.outcome],
      formatDuration(check.durationMs),
    ]),
  )
}

/** The checks and their results; before a test, what will be asked. */
export const renderChecks = ({ tests, summary }: ReportData): Markup => {
  const declared = summary.stages.flatMap(({ name, checks }) => checks.map((title) => [name, title]))
  const pending = html`<p>Not tested yet: <code>pibake test</code> boots the image and asks.</p>
${renderTable({ caption: 'What will be asked', columns: [{ title: 'Stage' }, { title: 'Check' }] }, declared)}`
  return html`<section aria-labelledby="checks"><h2 id="checks">Checks</h2>
${tests.length === 0 ? pending : html`${tests.map(renderTest)}`}
</section>`
}
