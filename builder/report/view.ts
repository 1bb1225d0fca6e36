import { formatBytes, formatDuration } from '../core/size.ts'
import { paceAt } from './rate.ts'
import type { Line, RunningStep, ViewState } from './state.ts'
import { type Paint, truncate } from './style.ts'

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const
const frameMs = 100
const barWidth = 24

const bar = (fraction: number): string => {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * barWidth)
  return '█'.repeat(full) + '░'.repeat(barWidth - full)
}

const amount = (value: number, unit: 'bytes' | 'items'): string =>
  unit === 'bytes' ? formatBytes(value) : String(Math.round(value))

/** Whole seconds: a time left in tenths would only flicker. */
const roughly = (durationMs: number): string =>
  durationMs < 59_500 ? `${Math.ceil(durationMs / 1000)} s` : formatDuration(durationMs)

/** How far a step is, in words: `42 %, 123 MB of 290 MB, 12 MB/s, 14 s left`. Undefined while nothing is known. */
export const describeProgress = (step: RunningStep, nowMs: number): string | undefined => {
  if (!step.progress) return undefined
  const { done, total, unit } = step.progress
  const parts: string[] = []
  if (total > 0) parts.push(`${Math.floor((Math.min(done, total) / total) * 100)} %`)
  parts.push(total > 0 ? `${amount(done, unit)} of ${amount(total, unit)}` : amount(done, unit))
  const { perSecond, leftMs } = paceAt(step.samples, total, nowMs)
  if (perSecond !== undefined && unit === 'bytes') parts.push(`${formatBytes(perSecond)}/s`)
  if (leftMs !== undefined && total > 0) parts.push(`${roughly(leftMs)} left`)
  return parts.join(', ')
}

const timing = (step: RunningStep, nowMs: number): string => {
  const elapsedMs = nowMs - step.startedAtMs
  const elapsed = `${Math.floor(elapsedMs / 1000)} s`
  const time = elapsedMs < 60_000 ? elapsed : formatDuration(elapsedMs)
  if (step.progress || step.expectedMs === undefined) return time
  const leftMs = step.expectedMs - elapsedMs
  return leftMs > 0 ? `${time}, about ${roughly(leftMs)} left` : `${time}, usually ${roughly(step.expectedMs)}`
}

const renderStep = (step: RunningStep, options: { width: number; nowMs: number; paint: Paint }): string[] => {
  const { width, nowMs, paint } = options
  const frame = spinner[Math.floor(nowMs / frameMs) % spinner.length] ?? spinner[0]
  const time = timing(step, nowMs)
  const title = truncate(step.title, Math.max(8, width - time.length - 4))
  const lines = [`${paint('cyan', frame)} ${title}  ${paint('dim', time)}`]
  const progress = describeProgress(step, nowMs)
  if (step.progress && progress !== undefined) {
    const { done, total, note } = step.progress
    const drawn = total > 0 ? `${bar(done / total)}  ` : ''
    const said = truncate(note === undefined ? progress : `${progress}  ${note}`, width - drawn.length - 2)
    lines.push(`  ${paint('green', drawn)}${said}`)
  }
  if (step.lastLine !== undefined) lines.push(paint('dim', `  ${truncate(step.lastLine, width - 2)}`))
  return lines
}

/** The lines of the live part, none wider than `width` columns. */
export const renderLive = (state: ViewState, options: { width: number; nowMs: number; paint: Paint }): string[] =>
  state.running.flatMap((step) => renderStep(step, options))

/** A line that stays, as terminals and log files of CI show it. */
export const renderLine = (line: Line, paint: Paint): string => {
  switch (line.kind) {
    case 'cached':
      return line.titles.length === 1
        ? `${paint('dim', '=')} ${line.titles[0]}: ${paint('dim', 'unchanged')}`
        : `${paint('dim', '=')} ${line.titles.length} steps ${paint('dim', `unchanged: ${line.titles.join(', ')}`)}`
    case 'notice':
      return line.level === 'warn' ? `${paint('yellow', '!')} ${line.message}` : `${paint('cyan', 'i')} ${line.message}`
    case 'output':
      return paint('dim', `  ${line.text}`)
    case 'step': {
      const mark = { done: paint('green', '✓'), failed: paint('red', '✗'), skipped: paint('dim', '-') }[line.outcome]
      const time = line.outcome === 'skipped' ? 'skipped' : formatDuration(line.durationMs)
      const note = line.note === undefined ? '' : `  ${line.note}`
      return `${mark} ${line.title}  ${paint('dim', `${time}${note}`)}`
    }
  }
}
