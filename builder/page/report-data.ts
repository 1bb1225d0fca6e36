import type { ImageChanges } from '../inspect/changes.ts'
import type { ImageSummary } from '../inspect/summary.ts'
import type { TimedStep } from './waterfall-svg.ts'

/** One check that was put to an image. */
export interface ReportedCheck {
  stage: string
  title: string
  outcome: 'passed' | 'skipped' | 'failed' | 'timeout'
  durationMs: number
  /** What it printed, kept where it did not pass. */
  output?: string
}

/** A boot test of an image on one board. */
export interface ReportedTest {
  board: string
  /** ISO 8601, UTC. */
  testedAt: string
  bootMs: number
  checks: ReportedCheck[]
}

/** How an image was baked. */
export interface ReportedBake {
  profile: string
  /** SHA-256 of the image. */
  sha256: string
  /** ISO 8601, UTC. */
  bakedAt: string
  steps: TimedStep[]
}

/** Everything that an image's report says. It is kept in the report itself, for the next one to compare with. */
export interface ReportData {
  summary: ImageSummary
  /** Undefined for an image that was looked at only. */
  bake?: ReportedBake
  /** What changed since the image that was there before, baked at `since`. */
  changes?: ImageChanges & { since: string }
  /** By board, the last test of each. */
  tests: ReportedTest[]
}

/** Raised with the shape of `ReportData`: a report of another one is not read. */
const format = 'pibake-report-1'

const opening = `<script type="application/json" id="${format}">`
const closing = '</script>'

/** The data as a block of an HTML page that shows nothing and runs nothing. No sign in it can end it early. */
export const embedData = (data: ReportData): string =>
  `${opening}${JSON.stringify(data).replaceAll('<', '\\u003c')}${closing}`

/** The data in a report; undefined where the text is none, or of another shape. */
export const extractData = (page: string): ReportData | undefined => {
  const start = page.indexOf(opening)
  const end = page.indexOf(closing, start)
  if (start < 0 || end < 0) return undefined
  try {
    return JSON.parse(page.slice(start + opening.length, end)) as ReportData
  } catch {
    return undefined
  }
}
