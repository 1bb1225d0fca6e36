import { formatDuration } from '../core/size.ts'
import { html, type Markup, round } from './html.ts'

/** A step of a bake, as it went. */
export interface TimedStep {
  id: string
  title: string
  outcome: 'run' | 'cached'
  /** Since the bake began. */
  startMs: number
  durationMs: number
  /** Of a cached one: how long it took when it ran last. */
  lastMs?: number
}

const [width, rowPx, barPx, labelPx, rightPx] = [960, 24, 14, 250, 150]
const letterPx = 6.6

const cut = (text: string): string => {
  const letters = Math.floor((labelPx - 12) / letterPx)
  return text.length <= letters ? text : `${text.slice(0, letters - 1)}…`
}

/** A step of the scale that gives four to eight lines over `totalMs`. */
export const scaleStep = (totalMs: number): number => {
  const steps = [100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000]
  return steps.find((step) => totalMs / step <= 8) ?? 1_800_000
}

const drawStep = (step: TimedStep, row: number, scale: number): Markup => {
  const y = row * rowPx
  const x = labelPx + step.startMs * scale
  const length = Math.max(2, step.durationMs * scale)
  const says =
    step.outcome === 'run'
      ? formatDuration(step.durationMs)
      : `cached${step.lastMs === undefined ? '' : `, took ${formatDuration(step.lastMs)}`}`
  return html`<g><title>${step.title}: ${says}</title><text class="step" x="${labelPx - 8}" y="${y + 16}" text-anchor="end">${cut(step.title)}</text><rect class="${step.outcome}" x="${round(x)}" y="${y + (rowPx - barPx) / 2}" width="${round(length)}" height="${barPx}" rx="3"/><text x="${round(x + length + 6)}" y="${y + 16}">${says}</text></g>`
}

/** Where the time of a bake went, as a waterfall in SVG: a bar from the start to the end of each step, in their order. */
export const renderWaterfall = (steps: readonly TimedStep[]): Markup => {
  const totalMs = Math.max(1, ...steps.map(({ startMs, durationMs }) => startMs + durationMs))
  const scale = (width - labelPx - rightPx) / totalMs
  const height = steps.length * rowPx + 22
  const step = scaleStep(totalMs)
  const lines = Array.from({ length: Math.floor(totalMs / step) + 1 }, (_, index) => {
    const x = round(labelPx + index * step * scale)
    return html`<line x1="${x}" x2="${x}" y1="0" y2="${height - 20}"/><text class="tick" x="${x}" y="${height - 6}" text-anchor="middle">${formatDuration(index * step)}</text>`
  })
  const longest = steps.toSorted((a, b) => b.durationMs - a.durationMs).slice(0, 4)
  const says = longest.map(({ title, durationMs }) => `${title} ${formatDuration(durationMs)}`).join(', ')
  return html`<svg class="waterfall" viewBox="0 0 ${width} ${height}" role="img" aria-label="Where the time went: ${says}">
${lines}
${steps.map((item, row) => drawStep(item, row, scale))}
</svg>`
}
